// The console as people meet it: first run, key, project, cited answer, flow with a person, usage; axe and screenshots of every page.
import {server, call, want} from "../kit.mjs"

const password = "correct horse battery staple"
let cookies

// signedIn opens a page of somebody who has signed in.
async function signedIn(kit, at) {
  const page = await kit.page({locale: "en-GB", timezoneId: "Asia/Tokyo"})
  await page.context().addCookies(cookies)
  await page.goto(server + at)
  return page
}

export default {
  async "the first person sets the server up"(kit) {
    const link = new URL(process.env.PARLEY_SET_UP)
    const page = await kit.page()
    await page.goto(`${server}/console`)
    want(page.url().includes("/console/sign-in"), `unknown people are sent to ${page.url()}`)
    await kit.accessible(page)
    await kit.shoot(page, "console-sign-in")
    await page.goto(server + link.pathname + link.search)
    await kit.accessible(page)
    await page.getByLabel("E-mail address").fill("ada@example.com")
    await page.getByLabel("Your name").fill("Ada Lovelace")
    await page.getByLabel("Password").fill(password)
    await page.getByLabel("The same again").fill(password)
    await page.getByRole("button", {name: "Begin"}).click()
    await page.getByText("Welcome.").waitFor()
    cookies = await page.context().cookies()
    kit.onlyFrom(server)
  },

  async "a key is generated and copied once"(kit) {
    const page = await signedIn(kit, "/console/keys")
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"], {origin: server})
    await page.getByLabel("Name your key").fill("Current")
    await page.getByRole("button", {name: "Generate", exact: true}).click()
    await page.getByRole("heading", {name: /Your key/}).waitFor()
    await kit.accessible(page)
    await kit.shoot(page, "console-key-made")
    await page.locator(".secret [data-copy]").click()
    const key = await page.evaluate(() => navigator.clipboard.readText())
    want(key.startsWith("parley_sk_"), `copied ${key.slice(0, 12)}`)
    await call("POST", "/api/v1/chat", {message: "Hello!"}, key)
    await page.goto(`${server}/console/keys`)
    want(!(await page.content()).includes(key), "the key is shown twice")
    await kit.shoot(page, "console-keys")
  },

  async "a project answers with citations"(kit) {
    const page = await signedIn(kit, "/console/projects")
    await kit.accessible(page)
    const form = page.locator("form", {hasText: "That begins with a file"})
    await form.getByLabel("Name").fill("Lamps")
    await form.getByLabel("File").setInputFiles({name: "lamps.txt", mimeType: "text/plain", buffer: Buffer.from("The Aurora lamp has a warranty of seven years. Its colour is teal.")})
    await form.getByRole("button", {name: "Create"}).click()
    await page.getByText("1 of 1 pages are ready").waitFor()
    // The scripted model repeats what it is asked; the built-in one answers from what was read.
    await call("POST", `/api/v1/projects/${new URL(page.url()).pathname.split("/").pop()}/settings`, {chatbot_model: "parley-builtin"})
    await page.getByRole("textbox", {name: "Question"}).fill("What warranty has the Aurora lamp?")
    await page.getByRole("button", {name: "Ask"}).click()
    await page.getByRole("heading", {name: "Cited"}).waitFor()
    await page.locator(".cited").getByText("lamps.txt").waitFor()
    await kit.accessible(page)
    await kit.shoot(page, "console-project")
  },

  async "a flow asks a person and goes on"(kit) {
    const page = await signedIn(kit, "/console/flows")
    await page.getByLabel("Name").fill("Support")
    await page.getByRole("button", {name: "Create"}).click()
    await page.locator("g.node").first().waitFor()
    await kit.accessible(page)
    await kit.shoot(page, "console-flow")
    const nodes = [{id: "a", type: "assistant", data: {name: "Triage"}}, {id: "p", type: "user", data: {name: "Me"}}]
    await page.goto(`${server}/console/flows`)
    await page.getByLabel("Name").fill("Asks")
    await page.getByLabel("From a template").selectOption("")
    await page.getByText("Definition", {exact: true}).click()
    await page.getByLabel("Nodes and edges (JSON)").fill(JSON.stringify({nodes, edges: [{source: "p", target: "a"}]}))
    await page.getByRole("button", {name: "Create"}).click()
    await page.getByRole("button", {name: "Begin"}).click()
    await page.getByRole("textbox", {name: "Message"}).fill("slow please")
    await page.getByRole("button", {name: "Send"}).click()
    await page.locator("g.node.speaks").waitFor()
    await page.getByText("piece3 ").waitFor()
    await page.getByRole("heading", {name: "A person is asked"}).waitFor()
    await kit.accessible(page)
    await kit.shoot(page, "console-chat")
    await page.getByRole("textbox", {name: "Answer"}).fill("exit")
    await page.getByRole("button", {name: "Answer", exact: true}).click()
    await page.getByRole("textbox", {name: "Message"}).waitFor()
  },

  async "every page is accessible and fits"(kit) {
    const page = await signedIn(kit, "/console/usage")
    await page.locator(".chart rect:last-child").waitFor()
    for (const name of ["usage", "balance", "models", "people", "audit", "webhooks", "health", "projects", "flows", "agents", "conversations", "budgets", "clients", "privacy", "aliases", "plans", "accounts", "usage?project=newest"]) {
      await page.goto(`${server}/console/${name}`)
      await kit.accessible(page)
      await kit.shoot(page, `console-${name.replace(/\W+/g, "-")}`)
      await kit.budget(page, `${server}/console/${name}`, {bytes: 60_000, requests: 5})
    }
    await page.goto(`${server}/console/nothing`)
    await kit.accessible(page)
    await page.emulateMedia({colorScheme: "dark"})
    await page.goto(`${server}/console/keys`)
    await kit.accessible(page)
    kit.onlyFrom(server)
  },
}
