// The first hour with a server, in one sitting: first run → key → playground → project from a site → cited answer →
// flow with a person → usage.
import {setTimeout as pause} from "node:timers/promises"
import {server, ada, call, go, sites, until, want} from "../kit.mjs"

let page, key

const warranty = "The Aurora lamp has a warranty of seven years. Its colour is teal, and its light is that of late afternoon."
const chapters = ["Aurora", "Borealis", "Cirrus", "Drift", "Ember", "Fjord", "Glimmer"]

// lampSite is the local site: a sitemap and seven pages. Those beyond the second wait until release is called, but not for ever:
// nobody's reader does.
async function lampSite() {
  let release
  const released = new Promise((resolve) => (release = resolve))
  const late = new Set(chapters.slice(2).map((name) => `/${name}`))
  const site = {pages: {}, held: (url) => late.has(url) && Promise.race([released, pause(10_000, null, {ref: false})])}
  const origin = await sites.site(site)
  site.pages["/sitemap.xml"] = `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${chapters.map((name) => `<url><loc>${origin}/${name}</loc></url>`).join("")}</urlset>`
  for (const name of chapters) {
    const text = name === "Aurora" ? warranty : `The ${name} lamp is made by hand in our workshop. It is sold with a spare wick and a wooden box.`
    site.pages[`/${name}`] = `<!doctype html><html lang=en><title>The ${name} lamp</title><main><h1>The ${name} lamp</h1><p>${text}</p></main></html>`
  }
  return {sitemap: `${origin}/sitemap.xml`, release}
}

export default {
  async "the first person sets the server up"(kit) {
    const visitor = await kit.page()
    await visitor.goto(`${server}/console`)
    want(visitor.url().includes("/console/sign-in"), `unknown people are sent to ${visitor.url()}`)
    await kit.judged(visitor, "console-sign-in")
    const link = new URL(process.env.PARLEY_SET_UP)
    await visitor.goto(server + link.pathname + link.search)
    await kit.judged(visitor, "console-set-up")
    page = await kit.signedIn("/console/")
    await page.getByText(ada.name).first().waitFor()
    await visitor.goto(server + link.pathname + link.search)
    await visitor.getByLabel("E-mail address").fill("eve@example.com")
    await visitor.getByLabel("Password").fill("another long password")
    await visitor.getByLabel("The same again").fill("another long password")
    await visitor.getByRole("button", {name: "Begin"}).click()
    await visitor.getByRole("alert").waitFor() // the link sets up once
    kit.onlyFrom(server)
  },

  async "a key is generated and copied once"(kit) {
    page = await kit.signedIn("/console/keys")
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"], {origin: server})
    await page.getByLabel("Name your key").fill("Current")
    await page.getByRole("button", {name: "Generate", exact: true}).click()
    await page.getByRole("heading", {name: /Your key/}).waitFor()
    await kit.judged(page, "console-key-made")
    await page.locator(".secret [data-copy]").click()
    await page.locator(".secret [data-copy]").filter({hasText: "Copied"}).waitFor()
    key = await page.evaluate(() => navigator.clipboard.readText())
    want(key.startsWith("parley_sk_"), `copied ${key.slice(0, 12)}`)
    await page.goto(`${server}/console/keys`)
    want(!(await page.content()).includes(key), "the key is shown twice")
    for (const heading of ["Name", "Created", "Last Used", "Status", "Actions"]) await page.getByRole("columnheader", {name: heading, exact: true}).waitFor()
    await page.getByRole("row", {name: /Current/}).getByText("active").waitFor()
  },

  async "the key works in the playground"(kit) {
    page = await kit.signedIn("/console/playground?operation=sendWebchatMessage")
    await page.locator("#send:enabled").waitFor()
    await page.getByLabel("Key", {exact: true}).fill(key)
    await page.locator("#body").fill('{"message": "Hello!"}')
    await page.locator("#send").click()
    await page.getByRole("status").filter({hasText: "200"}).waitFor()
    await page.locator("#answer").filter({hasText: "You said: Hello!"}).waitFor()
    await until(async () => {
      await page.goto(`${server}/console/keys`)
      const used = await page.getByRole("row", {name: /Current/}).getByRole("cell").nth(1).textContent()
      return !used.includes("Never")
    }, "the page of keys does not say that the key was used")
  },

  async "a project reads a site while one watches, and cites it"(kit) {
    page = await kit.signedIn("/console/projects")
    const form = page.locator("form", {hasText: "That reads a site"}), {sitemap, release} = await lampSite()
    await form.getByLabel("Name").fill("Lamps")
    await form.getByLabel("Sitemap or page").fill(sitemap)
    await form.getByRole("button", {name: "Create"}).click()
    const progress = page.locator("[data-progress] [role=status]")
    await progress.filter({hasText: /Reading: [1-6] of 7 pages are ready/}).waitFor()
    await kit.shoot(page, "console-project-reading")
    release()
    await progress.filter({hasText: /^7 of 7 pages are ready/}).waitFor()
    await page.getByRole("row", {name: /Aurora/}).getByText("ok").first().waitFor()
    // The scripted model repeats what it is asked; the built-in one answers from what was read.
    await call("POST", `/api/v1/projects/${new URL(page.url()).pathname.split("/").pop()}/settings`, {chatbot_model: "parley-builtin"})
    await page.getByRole("textbox", {name: "Question"}).fill("What warranty has the Aurora lamp?")
    await page.getByRole("button", {name: "Ask"}).click()
    await page.getByRole("heading", {name: "Cited"}).waitFor()
    await page.locator(".answer").getByText("seven years").waitFor()
    await page.locator(".cited").getByRole("link", {name: "The Aurora lamp"}).first().waitFor()
    await kit.judged(page, "console-project-answer")
  },

  async "a flow asks a person and goes on"(kit) {
    page = await kit.signedIn("/console/flows")
    const nodes = [{id: "a", type: "assistant", data: {name: "Triage"}}, {id: "p", type: "user", data: {name: "Me"}}]
    await page.getByLabel("Name").fill("Asks")
    await page.getByLabel("From a template").selectOption("")
    await page.getByText("Definition", {exact: true}).click()
    await page.getByLabel("Nodes and edges (JSON)").fill(JSON.stringify({nodes, edges: [{source: "p", target: "a"}]}))
    await page.getByRole("button", {name: "Create"}).click()
    await page.getByRole("button", {name: "Begin"}).click()
    await page.getByRole("textbox", {name: "Message"}).fill("held flow please")
    await page.getByRole("button", {name: "Send"}).click()
    await page.locator("g.node.speaks").waitFor()
    await page.getByText("piece3 ").waitFor()
    await kit.shoot(page, "console-chat-running")
    await go("flow")
    await page.getByRole("heading", {name: "A person is asked"}).waitFor()
    await kit.judged(page, "console-chat-asks")
    await page.getByRole("textbox", {name: "Answer"}).fill("exit")
    await page.getByRole("button", {name: "Answer", exact: true}).click()
    await page.getByRole("textbox", {name: "Message"}).waitFor()
  },

  async "the usage chart shows all of it"(kit) {
    page = await kit.signedIn("/console/usage")
    const today = page.locator(".chart rect").last()
    const count = await until(async () => {
      await page.reload()
      const said = Number((await today.textContent()).match(/: (\d+)/)?.[1])
      return said >= 3 && said
    }, "today's bar does not say what was used")
    want(Number(await today.getAttribute("height")) > 0, "today has no bar")
    await page.getByText("The numbers", {exact: true}).click()
    await page.getByRole("region", {name: "The numbers by day"}).getByRole("row").last().getByRole("cell", {name: String(count), exact: true}).first().waitFor()
    await page.getByRole("link", {name: "Key", exact: true}).click()
    await page.getByRole("rowheader", {name: "Current"}).waitFor()
    await kit.judged(page, "console-usage")
    kit.onlyFrom(server)
  },
}
