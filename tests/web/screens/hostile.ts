/** What others choose - texts, and the name of a group - through every screen: it is shown, and does nothing else. */

import assert from "node:assert/strict";

import { person } from "../tabs/scene.ts";
import { cue } from "./cue.ts";
import { fits, open, register, sees } from "./hands.ts";

const RIGHT_TO_LEFT = "\u202e";
const TITLE = `<img src=x onerror=alert(1)> ${RIGHT_TO_LEFT}elbbuod\u2066 ${"W".repeat(60)}`;
const TEXTS = [
  "<script>document.title='gone'</script><b>bold</b>",
  `turned ${RIGHT_TO_LEFT}round \u2067and \u2066again`,
  "A".repeat(6_000),
  `${"\u0301".repeat(500)} many marks`,
  "javascript:alert(1) https://example.org/<b> data:text/html,x https://user:pass@host.example/",
  "\u0000\u0007\ufeff\u2028\u2029 controls",
  "line\n".repeat(300),
  "مرحبا بالعالم 123 hello",
  "{{constructor.constructor('alert(1)')()}} ${alert(1)} __proto__",
];

export async function hostile(): Promise<object> {
  const ann = await person("ann");
  const page = await register(ann);
  await cue("arrive");
  await cue("group", { title: TITLE, with: ann.name, texts: TEXTS });
  await page.getByText(`${String(TEXTS.length)} unread messages`).waitFor();
  for (const [width, height] of [
    [320, 640],
    [1_100, 720],
  ] as const) {
    await page.setViewportSize({ width, height });
    await fits(page, `the list at ${String(width)}`);
    await open(page, "img src=x");
    await sees(page, "__proto__");
    await fits(page, `the conversation at ${String(width)}`);
    // All of it is text: nothing of it became an element, a handler, or a word of ours.
    const found = await page.evaluate(() => ({
      elements: document.querySelectorAll("main img:not([role]), main script, main b, main iframe").length,
      handlers: document.querySelectorAll("[onerror], [onclick], [onload]").length,
      title: document.title,
      links: [...document.querySelectorAll("main a")].map((one) => (one as HTMLAnchorElement).href),
    }));
    assert.deepEqual([found.elements, found.handlers], [0, 0]);
    assert.match(found.title, /Secure Messenger$/);
    for (const link of found.links) assert.match(link, /^https?:\/\//);
    // What turns a text round ends with it: the time stands where it stands elsewhere.
    const directions = await page.evaluate(() =>
      [...document.querySelectorAll("main .text, main h2 .said, nav .said")].map(
        (one) => getComputedStyle(one).unicodeBidi,
      ),
    );
    assert.ok(directions.length > 2);
    assert.deepEqual(
      directions.filter((one) => !["isolate", "plaintext"].includes(one)),
      [],
    );
    if (width === 320) await page.goBack();
  }
  await page.getByRole("navigation").getByRole("button", { name: "Settings" }).click();
  await page.getByRole("dialog").waitFor();
  return {};
}
