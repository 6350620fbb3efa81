// Every page: its budget, axe at two widths in both themes, no page wider than its window; with --screens its pictures.
import {server, call, command, want} from "../kit.mjs"

// budgets are what a page may take, as transferred by a browser that has nothing of it yet. A page of the console is itself, the style
// sheet, what every page does, a module of its own and the icon; lists are compressed. Time is the server's until the first byte.
const budgets = {
  console: {bytes: 40_000, requests: 5, ms: 100}, // the style sheet is 6 kB of it; nobody should wait for the first paint
  entrance: {bytes: 20_000, requests: 5, ms: 100}, // little to show and nothing to follow
  playground: {bytes: 60_000, requests: 12, ms: 100}, // also three modules, the list of all operations, and one with its schemas
  docs: {bytes: 30_000, requests: 5, ms: 100}, // an operation with its schemas and examples; the search's index comes with the first key
}

const text = "The Aurora lamp has a warranty of seven years. Its colour is teal."

// made stores one of everything that has a page of its own, and returns the pages' paths.
async function made() {
  const key = process.env.PARLEY_KEY
  const api = (path, body) => call("POST", path, body, key)
  const form = new FormData()
  form.set("project_name", "A library with a rather long name, as people give them")
  form.set("file", new Blob([text], {type: "text/plain"}), "handbook.txt")
  const project = await (await fetch(`${server}/api/v1/projects`, {method: "POST", headers: {Authorization: `Bearer ${key}`}, body: form})).json()
  const agent = await api("/api/v1/agents", {name: "Financial Advisor", personality_prompt: "Patient, knows finance", appearance_prompt: "Suit and tie", age: 35})
  const conversation = await api("/api/v1/conversations", {title: "Savings", llm_id: (await call("GET", "/api/v1/models?type=llm", null, key))[0].id, agent_id: agent.id})
  await api(`/api/v1/conversations/${conversation.id}/messages`, {content: "How do I begin to save, and how much of what I earn should that be?"})
  await api("/api/v1/chat", {message: "Where is my parcel?"})
  const nodes = [{id: "a", type: "assistant", data: {name: "Triage"}}, {id: "b", type: "assistant", data: {name: "Expert"}}, {id: "p", type: "user", data: {name: "Me"}}]
  const flow = await api("/flows", {name: "Support", flow: {nodes, edges: [{source: "p", target: "a"}, {source: "a", target: "b"}]}})
  const chat = await api("/chats", {name: "A running case", from_flow: flow.id, from_type: "flow"})
  const hook = await call("POST", "/api/v1/admin/webhooks", {url: `${server}/nobody-listens`, events: ["message.created", "balance.low"]})
  await api("/api/v1/chat", {message: "And this one is told to the webhook."})
  const [named] = await call("GET", "/api/v1/keys")
  const client = await call("POST", "/api/v1/admin/oauth-clients", {name: "Billing job", scopes: ["webchat"]})
  const own = await call("GET", "/api/v1/admin/account")
  return {
    "/keys/{id}": `/keys/${named.id}`, "/webhooks/{id}": `/webhooks/${hook.id}`, "/projects/{id}": `/projects/${project.data.id}`,
    "/flows/{id}": `/flows/${flow.id}`, "/chats/{id}": `/chats/${chat.id}`, "/conversations/{id}": `/conversations/${conversation.id}`,
    "/clients/{id}": `/clients/${client.id}`, "/accounts/{id}": `/accounts/${own.id}`,
  }
}

const named = (path) => `console${path.replace("/{id}", "-one").replaceAll("/", "-")}`

async function judge(kit, page, path, name, budget) {
  const took = await kit.budget(page, server + path, budget)
  await kit.judged(page, name)
  console.log(`     ${path.padEnd(44)} ${String(took.bytes).padStart(7)} bytes ${took.requests} requests ${took.ms} ms`)
}

export default {
  async "of the console"(kit) {
    const page = await kit.signedIn("/console/"), ids = await made()
    const special = {"/playground": "playground", "/sign-in": "entrance", "/set-up": "entrance", "/password": "entrance"}
    for (const path of process.env.PARLEY_PAGES.split(" ")) {
      want(!path.includes("{") || ids[path], `no scenario makes what ${path} shows`)
      const budget = special[path] ?? "console"
      if (budget === "entrance") continue
      await judge(kit, page, `/console${ids[path] ?? path}`, named(path), budgets[budget])
    }
    await judge(kit, page, "/console/playground?operation=createKey", "console-playground-form", budgets.playground)
    kit.onlyFrom(server)
  },

  async "before somebody signs in"(kit) {
    const page = await kit.page()
    for (const path of ["/sign-in", "/password?token=none"]) await judge(kit, page, `/console${path}`, named(path.split("?")[0]), budgets.entrance)
    await judge(kit, page, "/console/playground", "console-playground-stranger", budgets.playground)
    kit.onlyFrom(server)
  },

  async "what is open in them"(kit) {
    const page = await kit.signedIn("/console/keys")
    for (const path of ["keys", "models", "people", "agents", "flows", "webhooks", "usage", "health"]) {
      await page.goto(`${server}/console/${path}`)
      await page.evaluate(() => document.querySelectorAll("main details").forEach((d) => { d.open = true }))
      await kit.judged(page, `console-${path}-open`)
    }
    await page.getByText("Ada Lovelace").first().click()
    await kit.accessible(page)
    await page.setViewportSize({width: 360, height: 740})
    await page.keyboard.press("Escape")
    await page.getByText("Menu", {exact: true}).click()
    await kit.accessible(page)
  },

  async "of errors"(kit) {
    const page = await kit.signedIn("/console/nothing")
    await kit.judged(page, "console-missing")
    await page.goto(`${server}/console/webhooks/hook_00000000000000000000000000`)
    await kit.judged(page, "console-missing-one")
    await page.goto(`${server}/console/keys`)
    await page.getByLabel("Name your key").fill("Refused")
    await page.getByText("Scopes, origins and expiry").click()
    await page.getByLabel("Allowed origins, one a line").fill("not an origin")
    await page.getByRole("button", {name: "Generate", exact: true}).click()
    await page.getByRole("alert").waitFor()
    await kit.judged(page, "console-keys-refused")
    kit.log.length = 0 // the browser calls a status of 400 an error
  },

  async "of an account that has nothing yet"(kit) {
    await kit.signedIn("/console/") // the first account is the first person's
    command("accounts", "create", "--name", "Empty", "--plan", "unlimited")
    const {token} = command("users", "create", "--email", "nobody@example.com", "--role", "owner", "--account", "Empty")
    const page = await kit.page()
    await page.goto(`${server}/console/password?token=${token}`)
    await page.getByLabel("New password").fill("a password of nobody")
    await page.getByLabel("The same again").fill("a password of nobody")
    await page.getByRole("button").first().click()
    await page.getByRole("navigation", {name: "Console"}).first().waitFor()
    for (const path of ["keys", "usage", "balance", "conversations", "agents", "projects", "flows", "webhooks", "health"]) {
      await page.goto(`${server}/console/${path}`)
      want(path === "health" || path === "keys" || await page.locator(".empty").first().isVisible(), `${path} does not say that there is nothing`)
      await kit.accessible(page)
      await kit.shoot(page, `console-${path}-empty`)
    }
  },

  async "of the documentation"(kit) {
    const page = await kit.page()
    for (const [at, name] of [
      ["/docs", "docs-home"], ["/docs/platform", "docs-tag"], ["/docs/guides/webchat", "docs-guide"], ["/docs/webchat/sendWebchatMessage", "docs-operation"],
      ["/docs/realtime/connectRealtime", "docs-socket"],
    ]) await judge(kit, page, at, name, budgets.docs)
    await page.goto(`${server}/docs/nothing`)
    await kit.judged(page, "docs-missing")
    kit.log.length = 0 // the browser calls a status of 404 an error
    kit.onlyFrom(server)
  },
}
