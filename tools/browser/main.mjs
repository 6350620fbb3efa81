// Runs scenarios, each in a browser context of its own, and ends with 1 when one fails. The first run goes first, since it is
// the server's; of the files that follow some run beside each other, each file's scenarios in their order.
import {mkdir, mkdtemp, readdir, rm} from "node:fs/promises"
import {tmpdir} from "node:os"
import path from "node:path"
import {chromium} from "playwright-core"
import {Kit, sites} from "./kit.mjs"
import {sheets} from "./sheets.mjs"

const folder = path.join(import.meta.dirname, "scenarios")
const FIRST = "first-run"
const BESIDE = 3 // files at a time: most of them wait for answers most of the time
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"))
const all = (await readdir(folder)).filter((name) => name.endsWith(".mjs")).map((name) => name.slice(0, -4)).sort()
const chosen = wanted.length > 0 ? all.filter((name) => wanted.some((prefix) => name.startsWith(prefix))) : all
if (chosen.length === 0) throw new Error(`no scenario is named ${wanted.join(" or ")}`)
const screens = process.env.PARLEY_SCREENS, pictures = process.argv.includes("--screens")
await mkdir(screens, {recursive: true})
for (const name of await readdir(screens)) if (pictures || name.startsWith("failed-")) await rm(path.join(screens, name))

const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--hide-scrollbars",
]
const profile = await mkdtemp(path.join(tmpdir(), "parley-chromium-"))
const persistent = await chromium.launchPersistentContext(profile, {executablePath: process.env.PARLEY_CHROMIUM, headless: true, args: flags})
const browser = persistent.browser()
let failed = 0

async function runFile(name) {
  const {default: steps} = await import(path.join(folder, `${name}.mjs`))
  for (const [step, run] of Object.entries(steps)) {
    const kit = new Kit(browser, `${name}-${step}`)
    const began = Date.now()
    try {
      await run(kit)
      kit.check()
      console.log(`ok   ${name}: ${step} (${Date.now() - began} ms)`)
    } catch (error) {
      failed++
      console.log(`FAIL ${name}: ${step}\n${error.stack}\n${kit.log.slice(-15).join("\n")}`)
      await kit.shootFailure()
    }
    await kit.close()
  }
}

try {
  if (chosen.includes(FIRST)) await runFile(FIRST)
  const rest = chosen.filter((name) => name !== FIRST)
  await Promise.all(Array.from({length: BESIDE}, async () => {
    while (rest.length > 0) await runFile(rest.shift())
  }))
  if (pictures) await sheets(browser, screens)
} finally {
  await persistent.close()
  await sites.close()
  await rm(profile, {recursive: true, force: true})
}
process.exit(failed > 0 ? 1 : 0)
