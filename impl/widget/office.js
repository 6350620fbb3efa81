// Reads the text of Word, PowerPoint, Excel and OpenDocument files, which are archives of XML. It stays in the visitor's browser:
// only the text goes into the message. Strings are cut, never parsed as markup, which strict pages forbid.
const OFFICE = /^(word\/document|ppt\/slides\/slide\d+|xl\/sharedStrings|content)\.xml$/
const UNPACKED_MAX = 8e6 // bytes of one part

// officeText is the text of an office file; "" when it is none.
async function officeText(file) {
  const bytes = new DataView(await file.arrayBuffer()), names = new TextDecoder(), parts = []
  let end = bytes.byteLength - 22
  while (end >= 0 && bytes.getUint32(end, true) !== 0x06054b50) end--
  if (end < 0) return ""
  let at = bytes.getUint32(end + 16, true)
  for (let left = bytes.getUint16(end + 10, true); left > 0; left--) {
    const [method, size, name, extra, note, local] = [[10, 16], [20, 32], [28, 16], [30, 16], [32, 16], [42, 32]].map(([field, bits]) => bytes[`getUint${bits}`](at + field, true))
    const path = names.decode(new Uint8Array(bytes.buffer, at + 46, name))
    if (OFFICE.test(path)) {
      const begin = local + 30 + bytes.getUint16(local + 26, true) + bytes.getUint16(local + 28, true)
      parts.push([path, await unpack(new Blob([new Uint8Array(bytes.buffer, begin, size)]), method)])
    }
    at += 46 + name + extra + note
  }
  parts.sort(([a], [b]) => a.localeCompare(b, "en", {numeric: true}))
  return parts.map(([, xml]) => textOf(xml)).join("\n\n").trim()
}

// unpack returns a part's text; of one that unpacks to more than anybody wrote, its beginning.
async function unpack(packed, method) {
  const reader = (method === 8 ? packed.stream().pipeThrough(new DecompressionStream("deflate-raw")) : packed.stream()).pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  for (let part = await reader.read(); !part.done && text.length < UNPACKED_MAX; part = await reader.read()) text += part.value
  return text
}

// textOf is what stands between the tags: a line for each paragraph.
const textOf = (xml) => xml
  .replace(/<(w:tab|text:tab)\b[^>]*>/g, "\t").replace(/<(w:br|a:br|text:line-break)\b[^>]*>|<\/(w:p|a:p|text:p|text:h|si)>/g, "\n").replace(/<[^>]*>/g, "")
  .replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) =>
    name ? {amp: "&", lt: "<", gt: ">", quot: '"', apos: "'"}[name.toLowerCase()] : String.fromCodePoint(Math.min(parseInt(hex ?? decimal, hex ? 16 : 10), 0x10ffff)))
  .replace(/\n{3,}/g, "\n\n")
