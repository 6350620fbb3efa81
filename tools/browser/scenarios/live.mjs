// What pages show while the server works at it, without anybody asking anew; and moments in the reader's own zone.
import {call, go, server, until, want} from "../kit.mjs"

const key = process.env.PARLEY_KEY

export default {
  async "an answer is followed in its conversation"(kit) {
    const page = await kit.signedIn("/console/")
    const models = await call("GET", "/api/v1/models?type=llm", null, key)
    const scripted = models.find((model) => JSON.stringify(model).includes("scripted"))
    const conversation = await call("POST", "/api/v1/conversations", {title: "Followed while it is written", llm_id: scripted.id}, key)
    const answer = fetch(`${server}/api/v1/conversations/${conversation.id}/messages`, {
      method: "POST", headers: {Authorization: `Bearer ${key}`, "Content-Type": "application/json"}, body: JSON.stringify({content: "held talk please", stream: true}),
    })
    want((await answer).ok, `the message: ${(await answer).status}`)
    await page.goto(`${server}/console/conversations?q=Followed+while`)
    await page.getByRole("link", {name: "Followed while it is written"}).click()
    const writing = page.locator("li[aria-busy=true]")
    await writing.filter({hasText: "piece3"}).waitFor()
    await kit.judged(page, "console-conversation-running")
    want(!(await writing.textContent()).includes("piece40"), "the answer had ended before it was looked at")
    await go("talk")
    await page.locator("li.assistant").filter({hasText: "piece40"}).waitFor()
    await writing.waitFor({state: "detached"})
    await (await answer).text()

    const wrong = await page.locator("time").evaluateAll((all) => all.filter((time) => {
      const there = new Intl.DateTimeFormat("en-GB", {dateStyle: "medium", timeStyle: "short", timeZone: "Asia/Tokyo"}).format(new Date(time.dateTime))
      return time.textContent !== there
    }).map((time) => `${time.dateTime} is shown as ${time.textContent}`))
    want(await page.locator("time").count() > 0 && wrong.length === 0, `moments in another zone than the reader's: ${wrong}`)
  },

  async "an export shows that it is being made, then where it is"(kit) {
    const page = await kit.signedIn("/console/privacy")
    const order = page.locator("form", {has: page.getByRole("button", {name: "Export", exact: true})})
    await order.getByLabel("Of").selectOption("account")
    await order.getByRole("button").click()
    await page.getByRole("cell", {name: "Being made"}).or(page.getByRole("link", {name: /Download/})).first().waitFor()
    const link = page.getByRole("link", {name: /Download/}).first()
    await link.waitFor() // the page shows it by itself
    const archive = await page.context().request.get(new URL(await link.getAttribute("href"), server).href)
    want(archive.ok() && (await archive.body()).length > 100, `the archive: ${archive.status()}`)
    await kit.judged(page, "console-privacy-ready")
  },

  async "a form that is refused says why beside the field"(kit) {
    const page = await kit.signedIn("/console/keys")
    await page.getByLabel("Name your key").fill("For a page")
    await page.getByText("Scopes, origins and expiry").click()
    await page.getByLabel("In web pages (publishable)").check()
    const origins = page.getByLabel("Allowed origins, one a line")
    await origins.fill("https://shop.example\nshop.example/cart")
    await page.getByRole("button", {name: "Generate", exact: true}).click()
    await page.getByRole("alert").filter({hasText: "Allowed origins, one a line: Line 2 must look like https://example.com."}).waitFor()
    want(await page.locator("textarea[name=origins] ~ .wrong, .wrong:has(~ textarea[name=origins])").textContent() === "Line 2 must look like https://example.com.", "the field says nothing")
    await until(() => page.evaluate(() => document.activeElement?.name === "origins"), "one has to look for the field")
    want(await origins.inputValue() === "https://shop.example\nshop.example/cart" && await page.getByLabel("In web pages (publishable)").isChecked(), "what was typed is gone")
    await kit.judged(page, "console-keys-wrong")
    await origins.fill("https://shop.example")
    await page.getByRole("button", {name: "Generate", exact: true}).click()
    await page.getByRole("heading", {name: /Your key/}).waitFor()
    kit.log.length = 0 // the browser calls a status of 400 an error
  },
}
