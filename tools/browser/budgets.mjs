// What pages may take, in one table, and the scenario's step that holds them to it.
import {server, want} from "./kit.mjs"

// budgets are what a page may take, as transferred by a browser that has nothing of it yet. A page of the console is itself, the style
// sheet, what every page does, a module of its own and the icon; lists are compressed. Time is the server's until the first byte.
export const budgets = {
  console: {bytes: 40_000, requests: 6, ms: 100}, // the style sheet is 6 kB of it; nobody should wait for the first paint
  entrance: {bytes: 20_000, requests: 5, ms: 100}, // little to show and nothing to follow
  playground: {bytes: 60_000, requests: 12, ms: 100}, // also three modules, the list of all operations, and one with its schemas
  docs: {bytes: 30_000, requests: 5, ms: 100}, // an operation with its schemas and examples; the search's index comes with the first key
}

// judge holds a page to a budget, to axe and to its width, and looks for values that were never meant for people.
export async function judge(kit, page, path, name, budget) {
  const took = await kit.budget(page, server + path, budget)
  const raw = (await page.locator("main").innerText()).match(/.{0,20}(0x[0-9a-f]{6,}|%!|<nil>|undefined|\[object ).{0,20}/)
  want(!raw, `${path} shows what nobody can read: ${raw?.[0]}`)
  await kit.judged(page, name)
  console.log(`     ${path.padEnd(44)} ${String(took.bytes).padStart(7)} bytes ${took.requests} requests ${took.ms} ms`)
}
