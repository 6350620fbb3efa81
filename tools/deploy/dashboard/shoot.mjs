// Opens the page in Chromium, compares what each panel drew with what Prometheus answered, and keeps a picture.
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [page, picture] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const tab = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
const wrong = [];
tab.on("pageerror", (error) => wrong.push(`the page fails: ${error.message}`));
await tab.goto(`file://${page}`);
const { dashboard, answers } = JSON.parse(await readFile(page.replace(/[^/]*$/, "asked.json"), "utf8"));
for (const panel of dashboard.panels.filter((p) => p.type !== "row")) {
  const drawn = tab.locator(`[data-panel=${JSON.stringify(panel.title)}]`);
  const series = panel.targets.flatMap((target) => answers[`${panel.id}/${target.refId}`]);
  // Either comes when the page is drawn.
  const what = drawn.locator(series.length > 0 ? ".u-over" : "[data-empty]");
  await what.waitFor({ timeout: 60_000 }).catch(() => wrong.push(`${panel.title} draws nothing of ${series.length} series`));
  console.log(`${series.length > 0 ? "drawn  " : "no data"} ${panel.title}: ${series.length} series`);
}
await tab.screenshot({ path: picture, fullPage: true });
await browser.close();
for (const what of wrong) console.error(what);
process.exit(wrong.length > 0 ? 1 : 0);
