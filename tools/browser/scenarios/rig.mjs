// The rig itself: a browser reaches the server, and a page of another origin.
import {server, sites, want} from "../kit.mjs"

export default {
  async "the server answers a browser"(kit) {
    const page = await kit.page()
    const answer = await page.goto(`${server}/healthz`)
    want(answer.ok(), `healthz: ${answer.status()}`)
    const other = await sites.site({html: "<!doctype html><html lang=en><title>Elsewhere</title><main><h1>Elsewhere</h1></main></html>"})
    await page.goto(other)
    want(await page.title() === "Elsewhere", "the other origin does not answer")
    await kit.accessible(page)
    kit.onlyFrom(server, other)
  },
}
