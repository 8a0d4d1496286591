/**
 * The web client in Chromium, with tabs that come and go: `node tabs_live.js CLIENT CHROMIUM URL FOLDER STORY TIMES
 * NEWER`.
 *
 * CLIENT is the folder that has playwright-core, FOLDER takes profiles, TIMES is how often something dies, NEWER a
 * folder with another version of the bundle, for the story that wants one. The last line that it prints is what came
 * of it, as JSON, for a judge in Python.
 */

import process from "node:process";

import { account } from "./tabs/account.ts";
import { kills, leaders } from "./tabs/deaths.ts";
import { backlog, first, latency } from "./tabs/measures.ts";
import { copies, gone, insecure, service, tabs, violation } from "./tabs/page.ts";
import { people, story } from "./tabs/scene.ts";

const stories: Readonly<Record<string, () => Promise<object>>> = {
  ...{ account, kills, leaders, copies, gone, insecure, service, tabs, violation },
  // What `python -m benchmarks web` measures.
  ...{ backlog, first, latency, first_slowed: () => first(true) },
};
const tell = stories[story];
if (tell === undefined) throw new Error(`There is no story ${story}.`);
try {
  const found = await tell();
  const troubles = people.flatMap((one) => one.browser.troubles);
  const warnings = people.flatMap((one) => [...one.browser.warnings]);
  process.stdout.write(`${JSON.stringify({ ...found, troubles, warnings })}\n`);
} finally {
  for (const one of people) await one.browser.kill();
}
process.exit(0);
