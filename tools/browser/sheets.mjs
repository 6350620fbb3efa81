// Lays the pictures of --screens out on sheets, by width and theme, to be looked at by people: sheet-1280-light-1.png, …
import {readdir, writeFile} from "node:fs/promises"
import path from "node:path"
import {pathToFileURL} from "node:url"

const CELLS = {360: [5, 10], 1280: [3, 6], 2560: [2, 4]} // columns, pictures a sheet

// sheets makes the sheets of a folder in a browser.
export async function sheets(browser, folder) {
  const page = await (await browser.newContext({viewport: {width: 1800, height: 1000}})).newPage()
  const names = (await readdir(folder)).filter((name) => /-\d+-(light|dark)\.png$/.test(name)).sort()
  for (const [width, [columns, size]] of Object.entries(CELLS)) {
    for (const theme of ["light", "dark"]) {
      const chosen = names.filter((name) => name.endsWith(`-${width}-${theme}.png`))
      for (let at = 0; at < chosen.length; at += size) {
        const cells = chosen.slice(at, at + size).map((name) => `<figure><figcaption>${name}</figcaption><img src="${pathToFileURL(path.join(folder, name))}"></figure>`)
        const file = path.join(folder, `sheet-${width}-${theme}-${1 + at / size}`)
        await writeFile(`${file}.html`, `<!doctype html><style>body{margin:8px;font:12px sans-serif;display:grid;gap:8px;grid-template-columns:repeat(${columns},1fr);background:#888}figure{margin:0}img{width:100%;max-height:900px;object-fit:cover;object-position:top}</style>${cells.join("")}`)
        await page.goto(String(pathToFileURL(`${file}.html`)))
        await page.screenshot({path: `${file}.png`, fullPage: true})
      }
    }
  }
  await page.context().close()
}
