// Every page of the console, as its routes name them: budget, axe at two widths in both themes, no page wider than its window.
import {budgets, judge} from "../budgets.mjs"
import {server, call, want} from "../kit.mjs"

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
  const own = await call("GET", "/api/v1/admin/account")
  const client = await call("POST", "/api/v1/admin/oauth-clients", {name: "Billing job", scopes: ["webchat"]})
  const [named] = await call("GET", "/api/v1/keys")
  return {
    "/keys/{id}": `/keys/${named.id}`, "/webhooks/{id}": `/webhooks/${hook.id}`, "/projects/{id}": `/projects/${project.data.id}`,
    "/accounts/{id}": `/accounts/${own.id}`, "/clients/{id}": `/clients/${client.id}`,
    "/flows/{id}": `/flows/${flow.id}`, "/chats/{id}": `/chats/${chat.id}`, "/conversations/{id}": `/conversations/${conversation.id}`,
  }
}

const named = (path) => `console${path.replace("/{id}", "-one").replaceAll("/", "-")}`

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
}
