// The reference and the guides.
import {server, want} from "../kit.mjs"

export default {
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
