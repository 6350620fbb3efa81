// Who signs in, by password or by the organisation, and who is refused.
import {server, ada, call, want} from "../kit.mjs"

// become makes whoever comes to the issuer next a person.
async function become(claims) {
  const answer = await fetch(`${process.env.PARLEY_ISSUER}/person`, {method: "POST", body: JSON.stringify(claims)})
  want(answer.ok, `the issuer: ${answer.status}`)
}

const organisation = (page) => page.getByRole("link", {name: "Sign in with your organisation"}).click()

export default {
  async "by password, from the page that was wanted and back to it"(kit) {
    await kit.signedIn("/console/") // so that there is somebody
    const page = await kit.page()
    await page.goto(`${server}/console/webhooks`)
    await page.getByLabel("E-mail address").fill(ada.email)
    await page.getByLabel("Password").fill("not the password")
    await page.getByRole("button", {name: "Sign in", exact: true}).click()
    await page.getByRole("alert").waitFor()
    await kit.judged(page, "console-sign-in-refused")
    await page.getByLabel("Password").fill(ada.password)
    await page.getByRole("button", {name: "Sign in", exact: true}).click()
    await page.waitForURL(`${server}/console/webhooks`)
    const [session] = (await page.context().cookies()).filter((c) => c.httpOnly)
    want(session.sameSite !== "None" && session.value.length > 20, `the cookie is ${session.sameSite}`)
  },

  async "by the organisation's own sign-in"(kit) {
    await kit.signedIn("/console/")
    const page = await kit.page()
    await become({sub: "ada-of-the-organisation", email: ada.email, email_verified: true, name: ada.name})
    await page.goto(`${server}/console/usage`)
    await organisation(page)
    await page.waitForURL(`${server}/console/usage`)
    await page.getByText(ada.name).first().waitFor()
    want((await page.context().cookies()).some((c) => c.httpOnly && c.name !== "parley_sign_in"), "there is no session")
    kit.onlyFrom(server, process.env.PARLEY_ISSUER)
  },

  async "not by the organisation for whom nobody invited"(kit) {
    const page = await kit.page()
    await become({sub: "eve", email: "eve@example.com", email_verified: true})
    await page.goto(`${server}/console/usage`)
    await organisation(page)
    await page.waitForURL(`${server}/api/v1/sign-in/oidc/callback*`)
    want(!(await page.context().cookies()).some((c) => c.name !== "parley_sign_in" && c.value), "a stranger has a session")
    await page.goto(`${server}/console/usage`)
    want(page.url().includes("/console/sign-in"), "a stranger sees the console")
  },

  async "out of one browser, or of all"(kit) {
    await kit.signedIn("/console/")
    await call("POST", "/api/v1/admin/users", {email: "grace@example.com", name: "Grace Hopper", role: "member"})
    const [one, other, third] = [await kit.page(), await kit.page(), await kit.page()]
    await become({sub: "grace", email: "grace@example.com", email_verified: true, name: "Grace Hopper"})
    for (const page of [one, other, third]) {
      await page.goto(`${server}/console/conversations`)
      await organisation(page)
      await page.waitForURL(`${server}/console/conversations`)
    }
    await one.locator(".who summary").click()
    await one.getByRole("button", {name: "Sign out", exact: true}).click()
    await one.waitForURL(/sign-in/)
    await other.reload()
    want(other.url() === `${server}/console/conversations`, "signing out ended another browser's session")
    await other.locator(".who summary").click()
    await other.getByRole("button", {name: "Sign out everywhere"}).click()
    await other.waitForURL(/sign-in/)
    await third.reload()
    want(third.url().includes("/console/sign-in"), "signing out everywhere left a session")
  },
}
