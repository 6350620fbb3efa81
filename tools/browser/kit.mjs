// What scenarios share: pages in fresh contexts, the first person, sites of other origins, calls of the API, axe, budgets and screenshots.
import {execFileSync} from "node:child_process"
import {readFile, writeFile} from "node:fs/promises"
import http from "node:http"
import {createRequire} from "node:module"
import net from "node:net"
import path from "node:path"
import {setTimeout as pause} from "node:timers/promises"

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
export const server = process.env.PARLEY_URL
const screens = process.argv.includes("--screens") // take pictures of everything at all sizes
// best are the pictures that --best keeps in impl/console/testdata: what of, how wide, which theme.
const best = process.argv.includes("--best") ? {
  "console-sign-in": [1280, "dark"], "console-key-made": [1280, "light"], "console-project-answer": [1280, "light"], "console-chat-asks": [1280, "dark"],
  "console-usage": [1280, "light"], "console-conversations": [1280, "light"], "console-models": [360, "dark"], "playground": [1280, "light"],
  "docs-operation": [1280, "dark"], "widget-project": [1280, "light"],
} : {}
const PATIENCE = 120_000 // milliseconds for anything to come about: tests of other things may run beside
const WIDTHS = [360, 900, 1280, 2560] // a phone, a tablet, a laptop, a wall

// ada is the first person of the server; whichever scenario needs somebody first sets the server up.
export const ada = {email: "ada@example.com", name: "Ada Lovelace", password: "correct horse battery staple"}
let cookies

export async function setUp(page) {
  const link = new URL(process.env.PARLEY_SET_UP)
  await page.goto(server + link.pathname + link.search)
  await page.getByLabel("E-mail address").fill(ada.email)
  await page.getByLabel("Your name").fill(ada.name)
  await page.getByLabel("Password").fill(ada.password)
  await page.getByLabel("The same again").fill(ada.password)
  await page.getByRole("button", {name: "Begin"}).click()
  await page.getByText("Welcome.").waitFor()
  return page.context().cookies()
}

// sites serves pages of other origins: each has a port, hence an origin, of its own.
export const sites = {
  open: [],
  // site serves page, {html, headers} as they are at the moment, at every path, and returns its origin; or pages by path,
  // each when page.held, if there is one, lets its path go.
  async site(page) {
    const s = http.createServer(async (request, response) => {
      await page.held?.(request.url)
      const html = page.pages ? page.pages[request.url] : page.html
      const type = request.url.endsWith(".xml") ? "application/xml" : "text/html; charset=utf-8"
      response.writeHead(html == null ? 404 : 200, {"Content-Type": type, ...page.headers}).end(html)
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

// command runs a command of the program beside the server and returns what it prints as JSON.
export function command(...words) {
  return JSON.parse(execFileSync(process.env.PARLEY_BINARY, [...words, "--json", "--data", process.env.PARLEY_DATA]))
}

// go lets an answer go on that the scripted model holds: see Model in the script that starts it all.
export async function go(name) {
  const answer = await fetch(`${process.env.PARLEY_MODEL}/go/${name}`, {method: "POST"})
  want(answer.ok, `the model: ${answer.status}`)
}

// until waits for what becomes true after an action, and returns it.
export async function until(check, message) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await pause(100)) {
    const truth = await check()
    if (truth) return truth
  }
  throw new Error(`after ${PATIENCE / 1000} s: ${message}`)
}

export function want(truth, message) {
  if (!truth) throw new Error(message)
}

// serverTime is how long the server took for the page, as the browser saw it.
function serverTime() {
  const [load] = performance.getEntriesByType("navigation")
  return load.responseStart - load.requestStart
}

// crowded is how many times longer work takes at the moment than on a machine that does nothing else; 1 on such a machine.
function crowded() {
  const began = performance.now(), before = process.cpuUsage()
  let used = 0
  while (used < 30) {
    const {user, system} = process.cpuUsage(before)
    used = (user + system) / 1000
  }
  return Math.max(1, (performance.now() - began) / used)
}

export class Kit {
  constructor(browser, name) {
    Object.assign(this, {browser, name, contexts: [], pages: [], log: [], requests: [], problems: []})
  }

  // page opens a page in a context of its own; options are Playwright's.
  async page(options = {}) {
    const context = await this.browser.newContext({viewport: {width: 1280, height: 800}, ...options})
    context.setDefaultTimeout(PATIENCE)
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

  // signedIn opens a page of the first person.
  async signedIn(at, options = {}) {
    cookies ??= this.page().then(setUp)
    const page = await this.page({locale: "en-GB", timezoneId: "Asia/Tokyo", ...options})
    await page.context().addCookies(await cookies)
    await page.goto(server + at)
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

  // accessible runs axe, all of its rules or those named; whatever it calls serious or critical is an error.
  async accessible(page, rules) {
    // Evaluated by the protocol, so that the page's policy need not admit it.
    if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe)
    const runOnly = rules ? {type: "rule", values: rules} : ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    const found = await page.evaluate((only) => globalThis.axe.run(document, {resultTypes: ["violations"], preload: false, runOnly: only}), runOnly)
    const serious = found.violations.filter((v) => ["serious", "critical"].includes(v.impact))
    want(serious.length === 0, `${page.url()}\n` + serious.map((v) => `axe ${v.id}: ${v.help}\n  ${v.nodes.slice(0, 5).map((n) => `${n.target} ${n.failureSummary}`).join("\n  ")}`).join("\n"))
  }

  // judged runs axe at two widths in both themes, and fits; with --screens it takes pictures, too. A theme changes colours and
  // nothing else, so that the second one is only asked for contrast.
  async judged(page, name) {
    const was = page.viewportSize()
    for (const [width, schemes] of [[360, ["light", "dark"]], [1280, ["dark", "light"]]]) {
      await page.setViewportSize({width, height: 800})
      for (const [n, colorScheme] of schemes.entries()) {
        await page.emulateMedia({colorScheme, reducedMotion: "reduce"})
        await this.accessible(page, n > 0 ? ["color-contrast"] : null)
      }
    }
    await page.emulateMedia({colorScheme: "light", reducedMotion: null})
    await page.setViewportSize(was)
    await this.shoot(page, name)
  }

  // budget loads the address and fails when that takes more bytes (as transferred), requests or milliseconds of the server than it may,
  // or when the page's console has an error. The time is the best of some loads, less what others on the machine
  // took of it.
  async budget(page, url, {bytes, requests, ms = 100}) {
    await page.goto("about:blank") // what is under way for another page does not count
    const session = await page.context().newCDPSession(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {cacheDisabled: true})
    let got = 0
    session.on("Network.loadingFinished", (e) => { got += e.encodedDataLength })
    const said = this.log.length, asked = this.requests.length
    await page.goto(url, {waitUntil: "networkidle"})
    await session.detach()
    const count = this.requests.length - asked
    want(got <= bytes && count <= requests, `${url}: ${got} bytes in ${count} requests; the budget is ${bytes} in ${requests}\n${this.requests.slice(asked).join("\n")}`)
    const errors = this.log.slice(said).filter((line) => line.startsWith("console error"))
    want(errors.length === 0, `${url}: ${errors.join("\n")}`)
    let best = await page.evaluate(serverTime)
    for (let tries = 0; best > ms && tries < 20; tries++) {
      await page.goto(url)
      best = Math.min(best, (await page.evaluate(serverTime)) / crowded())
    }
    want(best <= ms, `${url}: ${best} ms until the first byte; the budget is ${ms}`)
    return {bytes: got, requests: count, ms: Math.round(best)}
  }

  // shoot fails when the page scrolls sideways at one of the widths; with --screens it takes pictures in both themes.
  async shoot(page, name, widths = WIDTHS) {
    const was = page.viewportSize()
    for (const width of widths) {
      await page.setViewportSize({width, height: width < 500 ? 740 : 900})
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      want(wide <= 0, `${name} is ${wide} px too wide at ${width} px`)
      for (const colorScheme of screens && width !== 900 ? ["light", "dark"] : []) {
        await page.emulateMedia({colorScheme, reducedMotion: "reduce"})
        await page.screenshot({path: path.join(process.env.PARLEY_SCREENS, `${name}-${width}-${colorScheme}.png`), fullPage: width < 2000 && !name.startsWith("widget")})
      }
    }
    if (best[name]) await this.keep(page, name, ...best[name])
    await page.emulateMedia({colorScheme: "light", reducedMotion: null})
    await page.setViewportSize(was)
  }

  // keep takes a picture for the repository, as small as it looks well.
  async keep(page, name, width, colorScheme) {
    await page.setViewportSize({width, height: width < 500 ? 740 : 800})
    await page.emulateMedia({colorScheme, reducedMotion: "reduce"})
    await page.evaluate(() => scrollTo(0, 0))
    const session = await page.context().newCDPSession(page)
    let picture = null
    for (let quality = 60; quality >= 30 && !(picture?.length <= 60_000); quality -= 10) {
      const {data} = await session.send("Page.captureScreenshot", {format: "webp", quality})
      picture = Buffer.from(data, "base64")
    }
    await session.detach()
    want(picture.length <= 60_000, `${name}: ${picture.length} bytes`)
    await writeFile(path.join(process.env.PARLEY_BEST, `${name}.webp`), picture)
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
