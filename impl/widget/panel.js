// The button and the panel, in a shadow root of their own.
const ICONS = {
  chat: "M4 5h16v11H9l-5 4z", close: "M6 6l12 12M18 6L6 18", fresh: "M12 5v14M5 12h14", send: "M4 12l16-8-6 16-3-7z", stop: "M7 7h10v10H7z",
  clip: "M8 12l6-6a3 3 0 0 1 4 4l-8 8a5 5 0 0 1-7-7l8-8", good: "M7 11v9H4v-9zM7 11l4-8a2 2 0 0 1 3 2l-1 4h6l-2 11H7", poor: "M7 13V4H4v9zM7 13l4 8a2 2 0 0 0 3-2l-1-4h6L17 4H7",
}
const ATTACHED_MAX = 24_000 // characters of a text file; a message may have 32,000

function icon(name, flip) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(svg.namespaceURI, "path")
  for (const [k, v] of Object.entries({viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linejoin": "round", "stroke-linecap": "round", "aria-hidden": "true"})) svg.setAttribute(k, v)
  if (flip) svg.setAttribute("class", "flip")
  path.setAttribute("d", ICONS[name])
  svg.append(path)
  return svg
}

// inkOn is black or white, whichever reads better on a colour #rrggbb.
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff"
}

class Panel {
  constructor(talk, options) {
    Object.assign(this, {talk, options, words: wordsFor(options.language), shown: false, loaded: false})
    this.host = element("div", {lang: options.language, dir: options.direction, "data-parley-widget": true})
    this.root = this.host.attachShadow({mode: "open"})
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(CSS)
    this.root.adoptedStyleSheets = [sheet]
    this.build()
    this.dress()
    this.theme()
    if (options.inline) this.settle(options.inline)
    else document.body.append(this.host)
    if (this.talk.kept.open || options.open || options.inline) this.show(false)
  }

  build() {
    const w = this.words
    const button = (name, label, onclick, more = {}) => element("button", {type: "button", "aria-label": label, title: label, onclick, ...more}, icon(name, more.flip))
    this.launch = button("chat", w.open, () => (this.shown ? this.hide() : this.show(true)), {class: "launch", "aria-expanded": "false", "aria-controls": "panel"})
    this.title = element("h2", {id: "title"})
    this.face = element("img", {alt: "", hidden: true, referrerpolicy: "no-referrer", onerror: () => (this.face.hidden = true)})
    this.drawn = element("canvas", {width: 64, height: 64, hidden: true, "aria-hidden": "true"})
    this.log = element("div", {class: "log", role: "log", "aria-live": "off", tabindex: 0, "aria-labelledby": "title"})
    this.aloud = element("div", {class: "aloud", role: "status"})
    this.box = element("textarea", {rows: 1, maxlength: 6000, placeholder: w.ask, "aria-label": w.ask, dir: "auto", oninput: () => this.typed(), onkeydown: (e) => this.keys(e)})
    this.send = element("button", {class: "send", "aria-label": w.send, title: w.send, disabled: true}, icon("send", true))
    this.halt = button("stop", w.stop, () => this.stop(), {hidden: true})
    this.picker = element("input", {type: "file", hidden: true, accept: "text/*,.md,.csv,.json,.log,.yaml,.yml", onchange: () => this.attach()})
    this.clip = button("clip", w.attach, () => this.picker.click(), {hidden: !this.options.attach})
    this.file = element("div", {class: "file", hidden: true})
    this.form = element("form", {onsubmit: (e) => (e.preventDefault(), this.submit())}, this.file, this.clip, this.picker, this.box, this.halt, this.send)
    this.panel = element("div", {id: "panel", class: "panel", role: "dialog", "aria-labelledby": "title", hidden: true, onkeydown: (e) => this.within(e)},
      element("header", {}, this.face, this.drawn, this.title, button("fresh", w.fresh, () => this.fresh()), this.shut = button("close", w.close, () => this.hide())), this.log, this.form, this.aloud)
    this.frame = element("div", {class: this.options.position === "start" ? "start" : ""}, this.panel, this.launch)
    this.root.append(this.frame)
  }

  // settle puts the panel where the tag stands, for good: nothing opens or closes it.
  settle(tag) {
    this.frame.classList.add("inline")
    this.panel.setAttribute("role", "region")
    this.shut.hidden = this.launch.hidden = true
    for (const side of ["width", "height"]) {
      const size = tag.dataset[side]
      if (size) this.host.style.setProperty(`--${side}`, /^\d+$/.test(size) ? `${size}px` : size)
    }
    tag.after(this.host)
  }

  // dress shows title, colour and avatar.
  dress() {
    const look = this.talk.kept.look ?? {}, {avatar} = this.options
    const title = this.options.title || look.title, colour = this.options.colour || look.color
    this.title.textContent = plain(title || this.words.title)
    this.box.placeholder = plain(look.placeholder || this.words.ask)
    if (/^#[0-9a-f]{6}$/i.test(colour ?? "")) {
      this.host.style.setProperty("--accent", colour)
      this.host.style.setProperty("--on-accent", inkOn(colour))
    }
    if (avatar) this.face.src = avatar, this.face.hidden = false
    else if (look.avatar) this.draw(look.avatar).catch(() => {})
  }

  // draw shows a picture that came as a data URL without asking the page's policy for pictures.
  async draw(avatar) {
    const [, type, content] = avatar.match(/^data:(image\/[a-z]+);base64,(.*)$/) ?? []
    if (!type) return
    const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], {type}))
    const side = Math.min(picture.width, picture.height)
    this.drawn.getContext("2d").drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, 64, 64)
    this.drawn.hidden = false
  }

  theme() {
    const dark = matchMedia("(prefers-color-scheme: dark)")
    const apply = () => this.host.toggleAttribute("data-dark", this.options.theme === "dark" || (this.options.theme !== "light" && dark.matches))
    dark.addEventListener("change", apply)
    apply()
  }

  async show(focus) {
    this.shown = true
    this.panel.hidden = false
    this.frame.classList.add("open")
    this.launch.setAttribute("aria-expanded", "true")
    this.launch.setAttribute("aria-label", this.launch.title = this.words.close)
    if (!this.options.inline) this.talk.keep({open: true})
    if (focus) this.box.focus()
    if (!this.loaded) await this.load()
  }

  hide() {
    if (this.options.inline) return
    this.shown = false
    this.panel.hidden = true
    this.frame.classList.remove("open")
    this.launch.setAttribute("aria-expanded", "false")
    this.launch.setAttribute("aria-label", this.launch.title = this.words.open)
    this.talk.keep({open: false})
    this.launch.focus()
  }

  // within keeps Tab inside the open panel and its button; Escape closes.
  within(e) {
    if (this.options.inline) return
    if (e.key === "Escape") return e.stopPropagation(), this.hide()
    if (e.key !== "Tab") return
    const stops = [...this.panel.querySelectorAll("button:not([disabled]), textarea, a, summary, [tabindex='0']")].filter((s) => s.offsetParent !== null)
    const edge = e.shiftKey ? stops[0] : stops.at(-1)
    if (this.root.activeElement === edge) e.preventDefault(), (e.shiftKey ? stops.at(-1) : stops[0]).focus()
  }

  keys(e) {
    if (e.key !== "Enter" || e.shiftKey || e.isComposing) return
    e.preventDefault()
    this.submit()
  }

  typed() {
    this.send.disabled = this.busy || (!this.box.value.trim() && !this.attached)
    this.box.style.height = "auto"
    this.box.style.height = `${Math.min(this.box.scrollHeight, 120)}px`
  }

  async attach() {
    const [file] = this.picker.files
    this.picker.value = ""
    if (!file) return
    const text = file.size <= 4 * ATTACHED_MAX ? await file.text() : ""
    if (!text || text.length > ATTACHED_MAX) return this.trouble(this.words.large)
    this.attached = {name: file.name, text}
    this.file.replaceChildren(plain(file.name), element("button", {type: "button", "aria-label": this.words.detach, onclick: () => this.detach()}, "×"))
    this.file.hidden = false
    this.typed()
    this.box.focus()
  }

  detach() {
    this.attached = null
    this.file.hidden = true
    this.typed()
    this.box.focus()
  }

  // load shows the session as it was left; an answer that was being made goes on.
  async load() {
    this.loaded = true
    this.greet()
    const kept = this.talk.kept
    this.log.setAttribute("aria-busy", "true")
    try {
      await this.talk.learn()
      this.dress()
      if (!kept.session && !kept.asked) return this.greetAgain()
      if (this.log.querySelector(".said")) return // the visitor was faster
      const past = await this.talk.history()
      if (past.length > 0) this.log.replaceChildren()
      for (const m of past) this.say(m.role, m.content, m)
      // What was asked is among the messages as soon as its answer has begun.
      if (kept.asked?.turn && past.at(-1)?.role === "assistant") this.talk.keep({asked: null})
      else if (kept.asked && past.at(-1)?.role !== "user") this.say("user", kept.asked.message)
      if (kept.asked) await this.receive()
    } catch (error) {
      if ([401, 404].includes(error.status)) this.talk.forget(), this.greet()
      else this.failed(error, () => (this.loaded = false, this.load()))
    } finally {
      this.log.setAttribute("aria-busy", "false")
    }
  }

  // greetAgain shows the questions that were just learned, unless something was said meanwhile.
  greetAgain() {
    if (!this.log.querySelector(".said")) this.greet()
  }

  greet() {
    const asked = this.options.questions.length > 0 ? this.options.questions : this.talk.kept.look?.questions ?? []
    const questions = asked.slice(0, 8).map((q) => element("button", {type: "button", dir: "auto", onclick: () => this.put(q)}, plain(q)))
    this.log.replaceChildren(element("p", {class: "hello", dir: "auto"}, plain(this.options.greeting || this.words.hello)))
    if (questions.length > 0) this.log.append(element("div", {class: "starters"}, ...questions))
  }

  fresh() {
    this.ending?.abort()
    this.talk.keep({session: null, asked: null})
    this.greet()
    this.box.focus()
  }

  submit() {
    if (this.busy) return
    let message = this.box.value.trim()
    if (this.attached) message = `${message}\n\n${this.attached.name}:\n\n${this.attached.text}`.trim()
    if (!message) return
    this.box.value = ""
    this.detach()
    this.put(message)
  }

  put(message) {
    if (this.busy) return
    this.log.querySelectorAll(".hello, .starters, .bad").forEach((e) => e.remove())
    this.say("user", message)
    this.talk.ask(message)
    this.receive()
  }

  // receive shows the answer to what was asked, as it comes.
  async receive() {
    const ending = (this.ending = new AbortController())
    const {box, text} = this.say("assistant", "")
    const wait = element("span", {class: "wait", role: "img", "aria-label": this.words.working}, element("i"), element("i"), element("i"))
    text.append(wait)
    this.occupy(true)
    let whole = ""
    const running = document.createTextNode("")
    try {
      for await (const event of this.talk.answer(ending.signal)) {
        if (event.name === "end") {
          text.replaceChildren()
          format(text, whole, this.words)
          this.after(box, {citations: event.data.citations})
          this.aloud.textContent = `${this.words.answer}: ${plain(whole.slice(0, 4000))}`
        } else if (event.data.content) {
          if (!whole) wait.replaceWith(running)
          if (whole.length < SHOWN) running.appendData(plain(event.data.content))
          whole += event.data.content
        }
        this.follow()
      }
    } catch (error) {
      wait.remove()
      if (!whole) box.remove()
      if (!ending.signal.aborted) this.failed(error, () => this.receive())
    } finally {
      if (this.ending === ending) this.occupy(false)
    }
  }

  async stop() {
    await this.talk.stop().catch((error) => this.failed(error))
  }

  occupy(busy) {
    this.busy = busy
    this.halt.hidden = !busy
    this.send.hidden = busy
    this.typed()
  }

  // failed says what went wrong, in the visitor's words, and offers to try again.
  failed(error, again) {
    if (error.status === 401 || error.status === 404) {
      this.talk.forget()
      again = null
    } else if (error.status && error.status !== 429 && error.status !== 503) {
      this.talk.keep({asked: null})
      again = null
    }
    this.trouble(error.status === 429 ? this.words.busy : error.status ? this.words.failed : this.words.lost, again)
  }

  trouble(message, again) {
    const retry = again && element("button", {type: "button", onclick: () => (line.remove(), again())}, this.words.again)
    const line = element("p", {class: "bad", role: "alert"}, message, retry)
    this.log.querySelector(".bad")?.remove() // one trouble at a time
    this.log.append(line)
    line.scrollIntoView?.({block: "nearest"})
  }

  // say adds what somebody said.
  say(role, content, message) {
    const who = element("span", {class: "aloud"}, role === "user" ? this.words.you : this.words.answer)
    const text = element("div", {class: "text", dir: "auto"})
    const box = element("div", {class: `said ${role}`}, who, text)
    if (role === "user") text.append(plain(content.slice(0, SHOWN)))
    else if (content) format(text, content, this.words)
    this.log.append(box)
    if (message && role !== "user") this.after(box, message)
    box.scrollIntoView?.({block: "nearest"})
    return {box, text}
  }

  // after adds what stands below an answer: the passages it rests on, and what it was worth.
  after(box, {citations = [], id, reaction}) {
    const look = this.talk.kept.look ?? {}
    if (look.citations !== false && citations.length > 0) this.cite(box, citations)
    if (look.feedback === false) return
    box.message = id
    const buttons = [["good", "liked"], ["poor", "disliked"]].map(([name, value]) => element("button", {
      type: "button", "aria-label": this.words[name], title: this.words[name], "aria-pressed": String(reaction === value), "data-reaction": value,
      onclick: (e) => this.judge(box, e.currentTarget),
    }, icon(name)))
    box.append(element("div", {class: "judge"}, ...buttons))
  }

  // judge says what an answer was worth; saying the same again takes it back.
  async judge(box, button) {
    const reaction = button.getAttribute("aria-pressed") === "true" ? null : button.dataset.reaction
    try {
      box.message ??= await this.talk.idOf([...this.log.querySelectorAll(".said.assistant")].reverse().indexOf(box))
      await this.talk.judge(box.message, reaction)
      for (const b of box.querySelectorAll(".judge button")) b.setAttribute("aria-pressed", String(b.dataset.reaction === reaction))
      this.aloud.textContent = reaction ? this.words.thanks : ""
    } catch (error) {
      this.trouble(this.words[error.status === 429 ? "busy" : "failed"])
    }
  }

  cite(box, citations) {
    const list = citations.slice(0, 20).map((c) => element("li", {},
      element("details", {}, element("summary", {}, element("bdi", {}, plain(c.title || c.url || c.source_id))), element("blockquote", {dir: "auto"}, plain(c.excerpt)), c.url ? linkTo(c.url, plain(c.url)) : null)))
    box.append(element("ul", {class: "cites", "aria-label": this.words.sources}, ...list))
  }

  // follow keeps the end in sight of whoever has not scrolled away from it.
  follow() {
    const {scrollHeight, scrollTop, clientHeight} = this.log
    if (scrollHeight - scrollTop - clientHeight < 120) this.log.scrollTop = scrollHeight
  }
}

// What the tag says. A page without the key gets no button, and its console the reason.
const tag = document.currentScript
const told = tag?.dataset ?? {}
const language = told.language || document.documentElement.lang || navigator.language || "en"

function begin() {
  if (!told.key?.startsWith("parley_pk_")) return console.error("parley: data-key of the widget's tag must be a publishable key (parley_pk_…)")
  const direction = told.direction || (RTL.includes(language.toLowerCase().split("-")[0]) ? "rtl" : "ltr")
  new Panel(new Talk(new URL(tag.src).origin, told.key, told.endUser, told.licenseKey), {
    language, direction, title: told.title, colour: told.color, theme: told.theme, greeting: told.greeting, avatar: told.avatar,
    position: told.position === "start" ? "start" : "end", open: told.open !== undefined, attach: told.attach !== undefined,
    inline: told.inline !== undefined ? tag : null,
    questions: (told.questions ?? "").split("|").map((q) => q.trim()).filter(Boolean).slice(0, 8),
  })
}

if (document.body) begin()
else addEventListener("DOMContentLoaded", begin, {once: true})
