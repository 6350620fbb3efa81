// The public API, as a page may use it: the publishable key, the visitor's token, a license where one is needed, one session.
class Talk {
  constructor(server, key, endUser, license) {
    Object.assign(this, {server, key, endUser, license, name: `parley-widget:${key}`})
    this.kept = {}
    try {
      this.kept = JSON.parse(localStorage.getItem(this.name)) ?? {}
    } catch {} // no storage, or not ours: the session lives as long as the page
  }

  // keep changes what survives a reload: visitor, session, and the request that is being answered.
  keep(change) {
    Object.assign(this.kept, change)
    try {
      localStorage.setItem(this.name, JSON.stringify(this.kept))
    } catch {}
  }

  // call sends a request; an answer that is an error is thrown with its status.
  async call(path, options = {}) {
    const token = this.endUser || this.kept.visitor
    const response = await fetch(this.server + path, {
      ...options, credentials: "omit", referrerPolicy: "origin", cache: "no-store",
      headers: {Authorization: `Bearer ${this.key}`, ...(token && {"Parley-End-User": token}), ...(options.body && {"Content-Type": "application/json"}), ...options.headers},
    })
    const visitor = response.headers.get("Parley-End-User")
    if (visitor && !this.endUser) this.keep({visitor})
    if (response.ok) return response
    const body = await response.json().catch(() => ({}))
    throw Object.assign(new Error(body.error ?? response.statusText), {status: response.status})
  }

  // learn reads how the chat shall look; it is kept for the next page, so that the button has its colour at once.
  async learn() {
    this.keep({look: await (await this.call("/api/v1/widget")).json()})
  }

  // idOf is the id of an answer, counted from the latest.
  async idOf(fromTheEnd) {
    const messages = await this.history()
    return messages.filter((m) => m.role === "assistant").at(-1 - fromTheEnd)?.id
  }

  // judge stores what an answer was worth; null takes it back.
  async judge(message, reaction) {
    await this.call(`/api/v1/sessions/${this.kept.session}/messages/${message}/feedback`, {method: "PUT", body: JSON.stringify({reaction})})
  }

  forget() {
    this.keep({visitor: null, session: null, asked: null})
  }

  // history returns the session's latest messages; [] without a session.
  async history() {
    if (!this.kept.session && this.kept.asked?.turn) {
      const turn = await (await this.call(`/api/v1/turns/${this.kept.asked.turn}`)).json()
      this.keep({session: turn.conversation_id})
    }
    if (!this.kept.session) return []
    return (await (await this.call(`/api/v1/sessions/${this.kept.session}?per_page=50`)).json()).session.messages ?? []
  }

  // ask notes a question, so that any reload from now on finds its answer, which answer yields.
  ask(message) {
    const random = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("")
    this.halted = false
    this.keep({asked: {message, session: this.kept.session, repeat: random}})
  }

  // answer yields the pieces of the answer to what was asked, from its beginning, and at last its end with citations.
  // A connection that breaks is followed by others, each going on where the last one broke off.
  async *answer(signal) {
    for (let last = 0, tries = 0; ; tries++) {
      try {
        const response = await this.follow(last, signal)
        const turn = response.headers.get("Parley-Turn")
        if (turn) this.keep({asked: {...this.kept.asked, turn}})
        if (turn && this.halted) await this.stop()
        for await (const event of events(response.body)) {
          if (event.id) last = Number(event.id)
          tries = 0
          if (event.name === "error") throw Object.assign(new Error(event.data.error), {status: 500})
          yield event
          if (event.name !== "end") continue
          this.keep({session: event.data.session_id, asked: null})
          return
        }
        throw new Error("the stream ended early")
      } catch (error) {
        if (error.status || signal.aborted || tries >= 5) throw error
        await new Promise((later) => setTimeout(later, 500 * 2 ** tries))
      }
    }
  }

  // follow opens the stream of the turn beyond an event; the request itself when its turn is not known yet. Repeating that is safe.
  follow(last, signal) {
    const {turn, message, session, repeat} = this.kept.asked
    if (turn) return this.call(`/api/v1/turns/${turn}/events`, {signal, headers: {"Last-Event-ID": String(last)}})
    return this.call("/api/v1/chat", {
      method: "POST", signal, headers: {"Idempotency-Key": repeat},
      body: JSON.stringify({message, stream: true, ...(session && {session_id: session}), ...(this.license && {license_key: this.license})}),
    })
  }

  // stop ends the answer that is being made, as soon as it has a turn; what there is of it is kept.
  async stop() {
    this.halted = !this.kept.asked?.turn
    if (!this.halted) await this.call(`/api/v1/turns/${this.kept.asked.turn}/cancel`, {method: "POST"})
  }
}

// events reads server-sent events.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const {done, value} = await reader.read()
    if (done) return
    const blocks = (rest + value).split("\n\n")
    rest = blocks.pop()
    for (const block of blocks) {
      const event = {name: "message", data: "", id: ""}
      for (const line of block.split("\n")) {
        const colon = line.indexOf(":")
        const field = line.slice(0, colon), text = line.slice(colon + 1).replace(/^ /, "")
        if (field === "event") event.name = text
        else if (field === "data") event.data += text
        else if (field === "id") event.id = text
      }
      if (event.data) yield {...event, data: JSON.parse(event.data)}
    }
  }
}
