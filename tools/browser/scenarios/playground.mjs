// The playground: plain, streamed, refused, stopped, a form with a file, a WebSocket.
import {server, want} from "../kit.mjs"

const key = process.env.PARLEY_KEY

async function opened(kit, operation, options) {
  const page = await kit.page(options)
  await page.goto(`${server}/console/playground?operation=${operation}`)
  await page.locator("#send:enabled").waitFor()
  return page
}

// status waits until the answer is there as a whole, with this status, or says this.
const status = (page, text) => page.locator("#status.notice").filter({hasText: text}).waitFor()

export default {
  async "sends a plain request and shows it as code"(kit) {
    const page = await opened(kit, "sendWebchatMessage")
    await page.locator("#key").fill(key)
    await page.locator("#body").fill('{"message": "It\'s `me`"}')
    await kit.accessible(page)
    await page.locator("#send").click()
    await status(page, "200")
    await page.locator("#answer").filter({hasText: "You said: It's `me`"}).waitFor()
    await page.locator("#headers pre").filter({hasText: "parley-turn:"}).waitFor({state: "attached"})
    for (const [language, text] of [["curl", "curl -X POST"], ["go", "http.NewRequest"], ["javascript", "await fetch"], ["python", "requests.request"]]) {
      await page.locator("#language").selectOption(language)
      const code = await page.locator("#code").textContent()
      want(code.includes(text) && code.includes("PARLEY_KEY") && !code.includes(key), `${language}: ${code}`)
    }
    await kit.judged(page, "playground")
    kit.onlyFrom(server)
  },

  async "keeps the key in the tab alone"(kit) {
    const page = await opened(kit, "listSessions")
    await page.locator("#key").fill(key)
    await page.reload()
    await page.locator("#send:enabled").waitFor()
    want(await page.locator("#key").inputValue() === key, "the key is gone after a reload")
    want(await page.evaluate((k) => !JSON.stringify({...localStorage}).includes(k) && !document.cookie.includes(k) && !location.href.includes(k), key), "the key is elsewhere, too")
    const other = await page.context().newPage()
    await other.goto(`${server}/console/playground`)
    await other.locator("#send:enabled").waitFor()
    want(await other.locator("#key").inputValue() === "", "another tab has the key")
  },

  async "shows a streamed answer as it comes, and stops it"(kit) {
    const page = await opened(kit, "sendWebchatMessage")
    await page.locator("#key").fill(key)
    await page.locator("#body").fill('{"message": "held playground please", "stream": true}')
    await page.locator("#send").click()
    await page.locator("#answer").filter({hasText: "piece3"}).waitFor()
    want(!(await page.locator("#answer").textContent()).includes("piece40"), "the answer was shown only as a whole")
    await page.locator("#stop").click()
    await status(page, "Stopped")
    await page.locator("#send:enabled").waitFor()
  },

  async "hints at what is wrong, and shows the server's refusal"(kit) {
    const page = await opened(kit, "sendWebchatMessage")
    await page.locator("#key").fill(key)
    await page.locator("#body").fill('{"message": 1}')
    await page.locator("#body-hint").filter({hasText: "message must be of the type string."}).waitFor()
    await page.locator("#send").click()
    await status(page, "400")
    await page.locator("#key").fill("parley_sk_wrong")
    await page.locator("#send").click()
    await status(page, "401")
    await kit.judged(page, "playground-error")
    await page.locator("#filter").fill("no such operation at all")
    await page.locator("#operation").filter({hasText: "No operation has these words"}).waitFor()
  },

  async "sends parameters and files"(kit) {
    const page = await opened(kit, "createDocument")
    await page.locator("#key").fill(key)
    await page.locator("#type").selectOption("multipart/form-data")
    await page.locator("input[type=file]").first().setInputFiles({name: "rules.txt", mimeType: "text/plain", buffer: Buffer.from("Quiet after ten.")})
    await page.locator("#send").click()
    await status(page, "201")
    const id = JSON.parse(await page.locator("#answer").textContent()).document.document_id ?? JSON.parse(await page.locator("#answer").textContent()).document.id
    await page.locator("#filter").fill("getDocument")
    await page.locator("#operation").selectOption("getDocument")
    await page.locator("[data-name=document_id]").fill(id)
    await page.locator("#send").click()
    await status(page, "200")
  },

  async "talks over a WebSocket"(kit) {
    const page = await opened(kit, "connectRealtime")
    await page.locator("#key").fill(key)
    await page.getByText(/optional parameters/).click()
    await page.locator("[data-name=model]").first().fill("scripted")
    await page.locator("#send").click()
    await page.locator("#status").filter({hasText: "Connected."}).waitFor()
    await page.locator("#answer").filter({hasText: "session.created"}).waitFor()
    await page.locator("#message").fill('{"type": "response.create", "response": {"instructions": "Say hello.", "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Ahoy"}]}]}}')
    await page.locator("#say").click()
    await page.locator("#answer").filter({hasText: "response.done"}).waitFor()
    await page.locator("#stop").click()
    await status(page, "Closed")
  },
}
