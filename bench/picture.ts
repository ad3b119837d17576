/**
 * The picture of the README, from a page of results:
 *
 *     node --conditions=@leveret/source bench/picture.ts [FOLDER OF RESULTS] [PNG]
 */

import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { ensureChromium } from "../tools/chromium.ts";
import { repositoryRoot } from "../tools/lib/process.ts";

const results = path.resolve(process.argv[2] ?? path.join(repositoryRoot, "bench", "results"));
const picture = path.resolve(process.argv[3] ?? path.join(repositoryRoot, "docs", "images", "performance.png"));

const browser = await chromium.launch({
  executablePath: await ensureChromium(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
try {
  const page = await browser.newPage({ viewport: { width: 960, height: 900 }, deviceScaleFactor: 2 });
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(`${pathToFileURL(path.join(results, "index.html")).href}?theme=light`);
  await page.locator("#overview").screenshot({ path: picture });
  if (problems.length > 0) throw new Error(problems.join("\n"));
} finally {
  await browser.close();
}
console.log(path.relative(process.cwd(), picture));
