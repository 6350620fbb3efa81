// Answers become nodes, never markup: text, code, strong, lists as they were written, and links of http, https and mailto.
const SHOWN = 30_000 // characters that an answer shows at once
const PATTERN = /```[^\n]*\n([\s\S]*?)(?:```|$)|`([^`\n]+)`|\*\*([^*\n]+)\*\*|\[([^\]\n]{1,300})\]\(([^\s()]{1,2000})\)|(https?:\/\/[^\s<>"'`)\]]{1,2000})/g

// plain shows controls that turn the direction of what follows, or hide it, as what they are.
const plain = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, (c) => `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`)

// element makes an element with attributes and children; strings become text.
function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value)
    else if (value === true) e.setAttribute(name, "")
    else if (value !== false && value != null) e.setAttribute(name, value)
  }
  e.append(...children.filter((child) => child != null))
  return e
}

// linkTo is a link that opens elsewhere and tells nothing of this page; for any other scheme it is the text alone.
function linkTo(address, text) {
  let url
  try {
    url = new URL(address)
  } catch {}
  if (!url || !["http:", "https:", "mailto:"].includes(url.protocol)) return null
  return element("a", {href: url.href, target: "_blank", rel: "noopener noreferrer nofollow ugc", title: plain(url.href.slice(0, 200))}, text)
}

// format puts the nodes of a text into a parent.
function format(parent, source, words) {
  const text = plain(source.slice(0, SHOWN))
  let at = 0
  for (const m of text.matchAll(PATTERN)) {
    const [whole, fenced, code, strong, label, target, bare] = m
    parent.append(text.slice(at, m.index))
    at = m.index + whole.length
    if (fenced !== undefined) parent.append(element("pre", {tabindex: 0}, element("code", {}, fenced.replace(/\n$/, ""))))
    else if (code) parent.append(element("code", {}, code))
    else if (strong) parent.append(element("strong", {}, strong))
    else if (label) parent.append(linkTo(target, label) ?? whole)
    else parent.append(linkTo(bare, bare) ?? bare)
  }
  parent.append(text.slice(at))
  if (source.length > SHOWN) {
    const more = element("button", {type: "button", class: "more", onclick: () => more.replaceWith(plain(source.slice(SHOWN)))}, words.all)
    parent.append(more)
  }
}
