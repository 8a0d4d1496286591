/**
 * The screens in Chromium, as a person sees and uses them: `node screens_live.js CLIENT CHROMIUM URL FOLDER STORY TIMES`.
 *
 * What somebody else has to do meanwhile, with the Python client, is asked for by a line of JSON on the output, and
 * answered by one on the input (screens/cue.ts). The last line is what went wrong in any page.
 */

import { join } from "node:path";
import process from "node:process";

import { files } from "./screens/files.ts";
import { groups } from "./screens/groups.ts";
import { hostile } from "./screens/hostile.ts";
import { keyboard } from "./screens/keyboard.ts";
import { looks } from "./screens/looks.ts";
import { backlog, cold, first, stored, typed } from "./screens/measures.ts";
import { pair } from "./screens/pair.ts";
import { contacts } from "./screens/people.ts";
import { states } from "./screens/states.ts";
import { talks } from "./screens/talks.ts";
import { folder, people, story } from "./tabs/scene.ts";

const stories: Readonly<Record<string, () => Promise<object>>> = {
  ...{ hostile, keyboard, looks, states, talks },
  ...{ contacts, files, groups, pair },
  // What `python -m benchmarks web` measures.
  ...{ backlog, cold, first, stored, typed },
};
const tell = stories[story];
if (tell === undefined) throw new Error(`There is no story ${story}.`);
try {
  const found = await tell();
  const troubles = people.flatMap((one) => one.browser.troubles);
  process.stdout.write(`${JSON.stringify({ ...found, troubles })}\n`);
} catch (error) {
  // What each of them saw then.
  for (const [at, page] of people.flatMap((one) => one.tabs).entries()) {
    await page.screenshot({ path: join(folder, `failed-${String(at)}.png`) }).catch(() => undefined);
  }
  throw error;
} finally {
  for (const one of people) await one.browser.kill();
}
process.exit(0);
