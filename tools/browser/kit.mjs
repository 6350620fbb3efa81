// What scenarios share: pages in fresh contexts, sites of other origins, calls of the API, axe, budgets and screenshots.
import {readFile} from "node:fs/promises"
import http from "node:http"
import {createRequire} from "node:module"
import net from "node:net"
import path from "node:path"

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
export const server = process.env.PARLEY_URL

// sites serves pages of other origins: each has a port, hence an origin, of its own.
export const sites = {
  open: [],
  // site serves page, {html, headers} as they are at the moment, at every path, and returns its origin.
  async site(page) {
    const s = http.createServer((request, response) => {
      response.writeHead(200, {"Content-Type": "text/html; charset=utf-8", ...page.headers}).end(page.html)
    })
    await new Promise((listening) => s.listen(0, "127.0.0.1", listening))
    this.open.push(s)
    return `http://127.0.0.1:${s.address().port}`
  },
  // proxy passes bytes on to the server; cut breaks all connections that go through it.
  async proxy() {
    const {hostname, port} = new URL(server), ends = new Set()
    const s = net.createServer((client) => {
      const upstream = net.connect(port, hostname)
      for (const [end, other] of [[client, upstream], [upstream, client]]) {
        ends.add(end)
        end.on("error", () => {}).on("close", () => (ends.delete(end), other.destroy())).pipe(other)
      }
    })
    await new Promise((listening) => s.listen(0, "127.0.0.1", listening))
    this.open.push(s)
    return {origin: `http://127.0.0.1:${s.address().port}`, cut: () => ends.forEach((end) => end.destroy())}
  },
  async close() {
    for (const s of this.open) s.closeAllConnections?.(), s.close()
  },
}

// call sends a JSON request as a server would and returns the JSON answer; any status of 400 and above is an error.
export async function call(method, path, body, key = process.env.PARLEY_ADMIN_KEY) {
  const answer = await fetch(server + path, {
    method, headers: {Authorization: `Bearer ${key}`, "Content-Type": "application/json"}, body: body && JSON.stringify(body),
  })
  const text = await answer.text()
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text ? JSON.parse(text) : null
}

export function want(truth, message) {
  if (!truth) throw new Error(message)
}

export class Kit {
  constructor(browser, name) {
    Object.assign(this, {browser, name, contexts: [], pages: [], log: [], requests: [], problems: []})
  }

  // page opens a page in a context of its own; options are Playwright's.
  async page(options = {}) {
    const context = await this.browser.newContext({viewport: {width: 1280, height: 800}, ...options})
    context.setDefaultTimeout(30_000)
    this.contexts.push(context)
    const page = await context.newPage()
    this.pages.push(page)
    page.on("console", (message) => this.log.push(`console ${message.type()}: ${message.text()}`))
    page.on("pageerror", (error) => this.problems.push(`error in a page: ${error.message}`))
    page.on("request", (request) => this.requests.push(request.url()))
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (e) => console.error(`csp: ${e.effectiveDirective} ${e.blockedURI}`))
    })
    return page
  }

  // check fails when a page threw, or broke its Content-Security-Policy; scenarios that provoke it empty the lists.
  check() {
    const broken = [...this.problems, ...this.log.filter((line) => line.includes("csp: "))]
    want(broken.length === 0, broken.join("\n"))
  }

  // onlyFrom fails when a page asked anything but these origins.
  onlyFrom(...origins) {
    const strange = this.requests.filter((url) => !/^(data|blob|about):/.test(url) && !origins.includes(new URL(url).origin))
    want(strange.length === 0, `requests to others: ${strange.join(" ")}`)
  }

  // accessible runs axe; whatever it calls serious or critical is an error.
  async accessible(page) {
    // Evaluated by the protocol, so that the page's policy need not admit it.
    await page.evaluate(axe)
    const found = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}))
    const serious = found.violations.filter((v) => ["serious", "critical"].includes(v.impact))
    want(serious.length === 0, serious.map((v) => `axe ${v.id}: ${v.help}\n  ${v.nodes.slice(0, 5).map((n) => `${n.target} ${n.failureSummary}`).join("\n  ")}`).join("\n"))
  }

  // budget loads the address and fails when it takes more bytes (as transferred) or requests.
  async budget(page, url, {bytes, requests}) {
    const session = await page.context().newCDPSession(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {cacheDisabled: true})
    let got = 0, count = 0
    session.on("Network.loadingFinished", (e) => { got += e.encodedDataLength; count++ })
    await page.goto(url, {waitUntil: "networkidle"})
    await session.detach()
    want(got <= bytes && count <= requests, `${url}: ${got} bytes in ${count} requests; the budget is ${bytes} in ${requests}`)
  }

  // shoot takes screenshots at three widths in both themes and fails when the page scrolls sideways.
  async shoot(page, name, widths = [360, 1280, 2560]) {
    const was = page.viewportSize()
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({colorScheme})
      for (const width of widths) {
        await page.setViewportSize({width, height: width < 500 ? 740 : 900})
        await page.screenshot({path: path.join(process.env.PARLEY_SCREENS, `${name}-${width}-${colorScheme}.png`)})
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        want(wide <= 0, `${name} is ${wide} px too wide at ${width} px`)
      }
    }
    await page.emulateMedia({colorScheme: "light"})
    await page.setViewportSize(was)
  }

  async shootFailure() {
    for (const [n, page] of this.pages.entries()) {
      await page.screenshot({path: path.join(process.env.PARLEY_SCREENS, `failed-${this.name}-${n}.png`)}).catch(() => {})
    }
  }

  async close() {
    for (const context of this.contexts) await context.close()
  }
}
