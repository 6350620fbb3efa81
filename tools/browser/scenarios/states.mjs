// Pages in the states that the first look does not show: before a sign-in, with everything open, refused, missing, empty; and the documentation.
import {budgets, judge} from "../budgets.mjs"
import {server, command, want} from "../kit.mjs"

export default {
  async "before somebody signs in"(kit) {
    const page = await kit.page()
    for (const path of ["/sign-in", "/password?token=none"]) await judge(kit, page, `/console${path}`, `console${path.split("?")[0].replace("/", "-")}`, budgets.entrance)
    await judge(kit, page, "/console/playground", "console-playground-stranger", budgets.playground)
    kit.onlyFrom(server)
  },

  async "what is open in them"(kit) {
    const page = await kit.signedIn("/console/keys")
    for (const path of ["keys", "models", "people", "agents", "flows", "webhooks", "usage", "aliases", "budgets", "clients", "plans", "privacy", "accounts"]) {
      await page.goto(`${server}/console/${path}`)
      await page.evaluate(() => document.querySelectorAll("main details").forEach((d) => { d.open = true }))
      await kit.judged(page, `console-${path}-open`)
    }
    await page.getByText("Ada Lovelace").first().click()
    await kit.accessible(page)
    await page.setViewportSize({width: 360, height: 740})
    await page.keyboard.press("Escape")
    await page.getByText("Menu", {exact: true}).click()
    await kit.accessible(page)
  },

  async "of errors"(kit) {
    const page = await kit.signedIn("/console/nothing")
    await kit.judged(page, "console-missing")
    await page.goto(`${server}/console/webhooks/hook_00000000000000000000000000`)
    await kit.judged(page, "console-missing-one")
    await page.goto(`${server}/console/keys`)
    await page.getByLabel("Name your key").fill("Refused")
    await page.getByText("Scopes, origins and expiry").click()
    await page.getByLabel("Allowed origins, one a line").fill("not an origin")
    await page.getByRole("button", {name: "Generate", exact: true}).click()
    await page.getByRole("alert").waitFor()
    await kit.judged(page, "console-keys-refused")
    kit.log.length = 0 // the browser calls a status of 400 an error
  },

  async "of an account that has nothing yet"(kit) {
    await kit.signedIn("/console/") // the first account is the first person's
    command("accounts", "create", "--name", "Empty", "--plan", "unlimited")
    const {token} = command("users", "create", "--email", "nobody@example.com", "--role", "owner", "--account", "Empty")
    const page = await kit.page()
    await page.goto(`${server}/console/password?token=${token}`)
    await page.getByLabel("New password").fill("a password of nobody")
    await page.getByLabel("The same again").fill("a password of nobody")
    await page.getByRole("button").first().click()
    await page.getByRole("navigation", {name: "Console"}).first().waitFor()
    for (const path of ["keys", "usage", "balance", "conversations", "agents", "projects", "flows", "webhooks", "budgets", "aliases", "clients", "health"]) {
      await page.goto(`${server}/console/${path}`)
      if (path !== "health" && path !== "keys") await page.locator(".empty").first().waitFor()
      await kit.accessible(page)
      await kit.shoot(page, `console-${path}-empty`)
    }
  },

  async "of the documentation"(kit) {
    const page = await kit.page()
    for (const [at, name] of [
      ["/docs", "docs-home"], ["/docs/platform", "docs-tag"], ["/docs/guides/webchat", "docs-guide"], ["/docs/webchat/sendWebchatMessage", "docs-operation"],
      ["/docs/realtime/connectRealtime", "docs-socket"],
    ]) await judge(kit, page, at, name, budgets.docs)
    await page.goto(`${server}/docs/nothing`)
    await kit.judged(page, "docs-missing")
    kit.log.length = 0 // the browser calls a status of 404 an error
    kit.onlyFrom(server)
  },
}
