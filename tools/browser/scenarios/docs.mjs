// The reference and the guides.
import {server, want} from "../kit.mjs"

export default {
  async "shows an operation, within its budget and from this server alone"(kit) {
    const page = await kit.page()
    await kit.budget(page, `${server}/docs`, {bytes: 80_000, requests: 5})
    await kit.budget(page, `${server}/docs/webchat/sendWebchatMessage`, {bytes: 100_000, requests: 5})
    await page.getByRole("heading", {name: "Send a message and receive the answer"}).waitFor()
    await kit.accessible(page)
    await kit.shoot(page, "docs-operation")
    for (const [at, name] of [["/docs", "docs-home"], ["/docs/platform", "docs-tag"], ["/docs/guides/webchat", "docs-guide"], ["/docs/nothing", "docs-missing"]]) {
      await page.goto(server + at)
      await kit.accessible(page)
      await kit.shoot(page, name)
    }
    kit.onlyFrom(server)
  },

  async "finds operations while one types, by keyboard"(kit) {
    const page = await kit.page()
    await page.goto(`${server}/docs`)
    await page.keyboard.press("/")
    await page.keyboard.type("webchat message")
    await page.getByRole("status").filter({hasText: "found"}).waitFor()
    await kit.accessible(page)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.waitForURL(`${server}/docs/webchat/sendWebchatMessage`)
    kit.onlyFrom(server)
  },

  async "is readable without scripts"(kit) {
    const page = await kit.page({javaScriptEnabled: false})
    await page.goto(`${server}/docs`)
    await page.getByRole("searchbox").fill("<b>session")
    await page.keyboard.press("Enter")
    await page.getByText("Nothing has all of these words").waitFor()
    await page.getByRole("searchbox").fill("session")
    await page.keyboard.press("Enter")
    await page.getByRole("link", {name: /Delete a session/}).click()
    await page.waitForURL(`${server}/docs/webchat/deleteSession`)
    want(await page.locator("pre").first().textContent().then((text) => text.startsWith("curl -X DELETE")), "no call is shown")
  },
}
