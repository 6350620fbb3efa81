// The widget on pages of other origins, under the strictest policy that still lets it work.
import {deflateRawSync} from "node:zlib"
import {call, go, server, sites, until, want} from "../kit.mjs"

const policy = (from) => `default-src 'none'; script-src ${from}; connect-src ${from}; style-src 'none'; img-src ${from}; require-trusted-types-for 'script'; base-uri 'none'`

// embedded is a page of its own origin that embeds the widget; allowed says whether the key lists the origin.
async function embedded({allowed = true, project, attributes = "", html = "lang=en", from = server} = {}) {
  const page = {html: "", headers: {"Content-Security-Policy": policy(from)}}
  const origin = await sites.site(page)
  const key = await call("POST", "/api/v1/keys", {
    name: "shop", kind: "publishable", scopes: ["webchat"], plan: "unlimited", origins: [allowed ? origin : "https://elsewhere.example"], ...(project && {project_id: project}),
  })
  page.html = `<!doctype html><html ${html}><meta charset=utf-8><meta name=viewport content="width=device-width"><title>A shop</title>
    <main><h1>A shop</h1><p>Buy things.</p><a href="#more">More</a></main><script src="${from}/widget.js" data-key="${key.key}" ${attributes} async></script></html>`
  return origin
}

// zip is an archive of files by name, as an office program writes it: deflated, with a directory at its end.
function zip(files) {
  const bodies = [], directory = []
  let at = 0
  for (const [name, text] of Object.entries(files)) {
    const packed = deflateRawSync(text), local = Buffer.alloc(30 + name.length), entry = Buffer.alloc(46 + name.length)
    for (const [header, shift] of [[local, 0], [entry, 2]]) {
      header.writeUInt16LE(8, 8 + shift)
      header.writeUInt32LE(packed.length, 18 + shift)
      header.writeUInt32LE(text.length, 22 + shift)
      header.writeUInt16LE(name.length, 26 + shift)
    }
    local.writeUInt32LE(0x04034b50)
    local.write(name, 30)
    entry.writeUInt32LE(0x02014b50)
    entry.writeUInt32LE(at, 42)
    entry.write(name, 46)
    bodies.push(local, packed)
    directory.push(entry)
    at += local.length + packed.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...bodies, ...directory, end])
}

const panel = (page) => page.locator("[data-parley-widget]")
const said = (page, n = -1) => panel(page).locator(".said.assistant .text").nth(n)

async function ask(page, text) {
  await panel(page).getByRole("textbox").fill(text)
  await page.keyboard.press("Enter")
}

async function opened(page, origin) {
  await page.goto(origin)
  await panel(page).locator(".launch").click()
}

// counted waits until so many questions and answers stand in the panel, and no more.
async function counted(page, n) {
  await until(async () => await panel(page).locator(".said").count() === n, `there are not ${n} questions and answers`)
}

async function answered(page, text) {
  await said(page).filter({hasText: text}).waitFor()
  await panel(page).locator(".send").waitFor() // the answer has ended
}

export default {
  async "streams on an allowed page, keeps the session, leaves nothing behind"(kit) {
    const page = await kit.page()
    const origin = await embedded({attributes: `data-title="Shop help" data-color="#7a3ea1" data-questions="Where is my parcel?|Who are you?"`})
    await page.goto(origin)
    await panel(page).locator(".launch").waitFor()
    await kit.judged(page, "widget-closed")
    const names = await page.evaluate(() => Object.keys(window).length)
    await panel(page).locator(".launch").click()
    await kit.judged(page, "widget-open")
    await panel(page).getByRole("button", {name: "Who are you?"}).click()
    await answered(page, "You said: Who are you?")
    await ask(page, "And **then**?")
    await answered(page, "And then?")
    want(await said(page).locator("strong").count() === 1, "strong text is not shown as such")
    want(await page.evaluate(() => Object.keys(window).length) === names, "the widget made a global name")
    await page.reload()
    await said(page, 1).filter({hasText: "And then?"}).waitFor()
    await counted(page, 4)
    await kit.judged(page, "widget-session")
    kit.onlyFrom(server, origin)
  },

  async "stands in the page where the tag stands"(kit) {
    const page = await kit.page()
    await page.goto(await embedded({attributes: `data-inline data-width="400" data-height="30rem"`}))
    await ask(page, "Who are you?")
    await answered(page, "You said: Who are you?")
    await panel(page).locator(".launch").waitFor({state: "hidden"})
    const box = await panel(page).locator(".panel").boundingBox()
    want(Math.round(box.width) === 400 && Math.round(box.height) === 480, `the panel is ${box.width} by ${box.height}`)
    await page.keyboard.press("Escape")
    want(await panel(page).locator(".panel").isVisible(), "Escape closes what stands in the page")
    await kit.judged(page, "widget-inline")
  },

  async "is refused on a page that the key does not list"(kit) {
    const page = await kit.page()
    await opened(page, await embedded({allowed: false}))
    await ask(page, "Hello?")
    await panel(page).getByRole("alert").filter({hasText: "That did not work."}).waitFor()
    want(await panel(page).locator(".said.assistant").count() === 0, "there is an answer")
    await until(() => kit.log.some((line) => line.includes("403")), "the server did not refuse the origin")
  },

  async "goes on after a reload in mid-answer"(kit) {
    const page = await kit.page()
    await opened(page, await embedded())
    await ask(page, "held reload please")
    await said(page).filter({hasText: "piece3"}).waitFor()
    await page.reload()
    await said(page).filter({hasText: "piece3"}).waitFor()
    want(!(await said(page).textContent()).includes("piece40"), "the answer had ended before the reload")
    await go("reload")
    await answered(page, "piece40")
    const pieces = (await said(page).textContent()).trim().split(/\s+/)
    want(pieces.length === 40 && pieces.every((p, n) => p === `piece${n + 1}`), `pieces: ${pieces}`)
    await counted(page, 2) // neither the question nor the answer stands twice
    await page.reload()
    await said(page).filter({hasText: "piece40"}).waitFor()
    await counted(page, 2)
  },

  async "goes on after the connection broke"(kit) {
    const page = await kit.page()
    const between = await sites.proxy()
    await opened(page, await embedded({from: between.origin}))
    await ask(page, "held cut please")
    await said(page).filter({hasText: "piece3"}).waitFor()
    const again = page.waitForResponse((response) => response.url().endsWith("/events"))
    between.cut()
    await again // the connection broke, and there is another one
    await go("cut")
    await answered(page, "piece40")
    want((await said(page).textContent()).match(/piece\d+/g).length === 40, "pieces are lost or doubled")
  },

  async "stops an answer and asks again"(kit) {
    const page = await kit.page()
    await opened(page, await embedded())
    await ask(page, "held stop please")
    await said(page).filter({hasText: "piece2"}).waitFor()
    await panel(page).getByRole("button", {name: "Stop"}).click()
    await panel(page).locator(".send").waitFor()
    await ask(page, "Still there?")
    await answered(page, "You said: Still there?")
  },

  async "stops an answer that has not begun"(kit) {
    const page = await kit.page()
    await opened(page, await embedded())
    let pass
    const passed = new Promise((resolve) => (pass = resolve))
    await page.route("**/api/v1/chat", (route) => passed.then(() => route.continue()))
    await ask(page, "held early please")
    await panel(page).getByRole("button", {name: "Stop"}).click()
    pass()
    await panel(page).locator(".send").waitFor() // nobody lets the answer go on
    await ask(page, "Still there?")
    await answered(page, "You said: Still there?")
  },

  async "shows a hostile answer as text"(kit) {
    const page = await kit.page()
    await opened(page, await embedded())
    await ask(page, "hostile")
    await answered(page, "[U+202E]")
    const text = await said(page).textContent()
    want(text.includes("<script>window.hacked = 1</script>") && text.includes("[click](javascript:window.hacked=3)"), `text: ${text.slice(0, 300)}`)
    want(await page.evaluate(() => window.hacked === undefined), "the answer ran")
    const links = await said(page).locator("a").evaluateAll((all) => all.map((a) => [a.href, a.rel, a.target]))
    want(JSON.stringify(links) === '[["https://good.example/path","noopener noreferrer nofollow ugc","_blank"]]', `links: ${JSON.stringify(links)}`)
    const wide = await panel(page).locator(".log").evaluate((log) => log.scrollWidth - log.clientWidth)
    want(wide <= 0, `the answer is ${wide} px too wide`)
    await kit.accessible(page)
  },

  async "reads from right to left"(kit) {
    const page = await kit.page()
    await opened(page, await embedded({html: "lang=ar dir=rtl", attributes: `data-title="متجر"`}))
    await ask(page, "مرحبا")
    await answered(page, "مرحبا")
    want(await panel(page).evaluate((host) => getComputedStyle(host).direction) === "rtl", "the direction is not right to left")
    const box = await panel(page).locator(".panel").boundingBox()
    want(box.x < 400, "the panel stands on the wrong side")
    await kit.judged(page, "widget-rtl")
    await page.keyboard.press("Escape")
    await kit.judged(page, "widget-rtl-closed")
  },

  async "dresses as the tag says"(kit) {
    const page = await kit.page()
    const origin = await embedded({attributes: `data-theme="dark" data-position="start" data-greeting="Good day" data-language="de" data-color="#ffd166" data-open`})
    await page.goto(origin)
    await panel(page).getByText("Good day").waitFor()
    want(await panel(page).getByRole("textbox").getAttribute("aria-label") === "Nachricht schreiben", "the words are not German")
    const look = await panel(page).locator(".panel").evaluate((e) => ({paper: getComputedStyle(e).backgroundColor, left: e.getBoundingClientRect().left}))
    want(look.paper === "rgb(24, 26, 31)" && look.left < 100, `the panel is ${look.paper} at ${look.left}`)
    const ink = await panel(page).locator("header").evaluate((e) => getComputedStyle(e).color)
    want(ink === "rgb(0, 0, 0)", `on a light colour the title is ${ink}`)
    want(!(await panel(page).locator("input[type=file]").evaluate((e) => !e.hidden || !e.previousElementSibling.hidden)), "files are taken where the tag does not allow them")
    await kit.judged(page, "widget-dressed")
  },

  async "works by keyboard alone"(kit) {
    const page = await kit.page({reducedMotion: "reduce"})
    await page.goto(await embedded())
    await panel(page).locator(".launch").focus()
    await page.keyboard.press("Enter")
    const inside = () => page.evaluate(() => document.querySelector("[data-parley-widget]").shadowRoot.activeElement?.closest(".panel") != null)
    want(await inside(), "opening does not move the focus into the panel")
    await page.keyboard.type("By keyboard")
    await page.keyboard.press("Enter")
    await answered(page, "You said: By keyboard")
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press("Tab")
      want(await inside(), "Tab leaves the open panel")
    }
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press("Shift+Tab")
      want(await inside(), "Shift+Tab leaves the open panel")
    }
    want((await panel(page).getByRole("status").textContent()).includes("You said: By keyboard"), "the answer is not read out")
    await page.keyboard.press("Escape")
    want(await panel(page).locator(".launch").evaluate((b) => b.getRootNode().activeElement === b), "closing does not give the focus back")
    want(!(await panel(page).locator(".panel").isVisible()), "Escape does not close")
  },

  async "sends a text file with the question"(kit) {
    const page = await kit.page()
    await opened(page, await embedded({attributes: "data-attach"}))
    await panel(page).locator("input[type=file]").setInputFiles({name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("The cellar is dry.")})
    await panel(page).getByText("notes.txt").waitFor()
    await ask(page, "What about this?")
    await answered(page, "The cellar is dry.")
  },

  async "reads an office file in the browser, and says so when it cannot read one"(kit) {
    const page = await kit.page()
    const origin = await embedded({attributes: "data-attach"})
    await opened(page, origin)
    const word = '<?xml version="1.0"?><w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Bread &amp; butter</w:t></w:r></w:p><w:p><w:r><w:t xml:space="preserve">costs </w:t></w:r><w:r><w:t>&#8364;4 &lt;here&gt;.</w:t></w:r></w:p></w:body></w:document>'
    const file = (name, buffer) => panel(page).locator("input[type=file]").setInputFiles({name, mimeType: "application/octet-stream", buffer})
    await file("scan.pdf", Buffer.from("%PDF-1.7\n\0\0binary"))
    await panel(page).getByRole("alert").filter({hasText: "no text in this file"}).waitFor()
    await file("broken.docx", Buffer.from("no archive at all, but long enough to be looked at"))
    await panel(page).getByRole("alert").filter({hasText: "no text in this file"}).waitFor()
    await file("menu.docx", zip({"[Content_Types].xml": "<Types/>", "word/document.xml": word}))
    await panel(page).getByText("menu.docx").waitFor()
    await ask(page, "What about this?")
    await answered(page, "Bread & butter\ncosts €4 <here>.")
    kit.onlyFrom(server, origin)
  },

  async "looks as its project says, cites, and takes a judgement"(kit) {
    const form = new FormData()
    form.set("project_name", "Library")
    form.set("file", new Blob(["Opening hours\n\nThe library opens at nine in the morning."], {type: "text/plain"}), "handbook.txt")
    const authorization = {Authorization: `Bearer ${process.env.PARLEY_KEY}`}
    const made = await (await fetch(`${server}/api/v1/projects`, {method: "POST", headers: authorization, body: form})).json()
    const path = `/api/v1/projects/${made.data.id}`
    await until(async () => (await call("GET", path, null, process.env.PARLEY_KEY)).data.is_chat_active, "the project is not ready")
    const look = new FormData()
    for (const [name, value] of [["chatbot_title", "Library desk"], ["chatbot_model", "parley-builtin"], ["chatbot_toolbar_color", "#0b6b4f"], ["example_questions[]", "When does the library open?"]]) look.append(name, value)
    look.set("chat_bot_avatar", new Blob([Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64")], {type: "image/png"}), "a.png")
    const set = await fetch(`${server}${path}/settings`, {method: "POST", headers: authorization, body: look})
    want(set.ok, `settings: ${set.status} ${await set.text()}`)

    const page = await kit.page()
    await opened(page, await embedded({project: made.data.id}))
    await panel(page).getByRole("heading", {name: "Library desk"}).waitFor()
    await panel(page).locator("canvas").waitFor() // is drawn when the picture has come
    await panel(page).getByRole("button", {name: "When does the library open?"}).click()
    await panel(page).locator(".cites summary").first().click()
    await panel(page).locator(".cites blockquote").filter({hasText: "nine in the morning"}).waitFor()
    await panel(page).getByRole("button", {name: "Good answer"}).click()
    await panel(page).locator("[data-reaction=liked][aria-pressed=true]").waitFor()
    await kit.judged(page, "widget-project")
    await page.reload()
    await panel(page).locator("[data-reaction=liked][aria-pressed=true]").waitFor()
  },
}
