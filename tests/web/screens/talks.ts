/** Two people at browsers, and one at the Python client, write to each other. */

import assert from "node:assert/strict";

import { person } from "../tabs/scene.ts";
import { cue } from "./cue.ts";
import { comes, composer, open, register, scrolled, sees, start, until, write } from "./hands.ts";

const MANY = 150;

export async function talks(): Promise<object> {
  const [ann, ben] = [await person("ann"), await person("ben")];
  const here = await register(ann);
  await here.getByText("No conversations yet").waitFor();
  const there = await register(ben);
  await start(here, ben.name);
  await write(here, "Hello Ben");
  await comes(here, "Hello Ben", "Delivered");
  // The other side: unread in the list, read once it is looked at.
  await there.getByText("1 unread message").waitFor();
  await open(there, ann.name);
  await sees(there, "Hello Ben");
  await composer(there).focus();
  await comes(here, "Hello Ben", "Read");
  assert.equal(await there.getByText("1 unread message").count(), 0);
  await write(there, "Hello Ann");
  await sees(here, "Hello Ann");

  // Two lines by Shift and Enter; Enter alone sends.
  const field = composer(here);
  await field.fill("One");
  await field.press("Shift+Enter");
  await field.pressSequentially("Two");
  await field.press("Enter");
  await sees(there, "One\nTwo");
  assert.equal(await field.inputValue(), "");

  // Somebody with the Python client.
  const { name = "" } = await cue("arrive");
  await start(here, name);
  await write(here, "Hello over there");
  await cue("hears", { from: ann.name, text: "Hello over there" });
  await cue("writes", { to: ann.name, text: "Hello from the command line" });
  await sees(here, "Hello from the command line");

  // What is begun stays where it was begun.
  await field.fill("Half a sentence");
  await open(here, ben.name);
  assert.equal(await field.inputValue(), "");
  await open(here, name);
  assert.equal(await field.inputValue(), "Half a sentence");
  await here.reload();
  await until(async () => (await field.inputValue()) === "Half a sentence", "the draft is there again");
  await field.fill("");

  await long(here, there, ann.name, ben.name);
  // No address tells whom one talks with, and going back leads back.
  assert.match(here.url(), /\/#talk$/);
  return {};
}

/** A conversation of many messages stays where one reads. */
async function long(
  here: Awaited<ReturnType<typeof register>>,
  there: Awaited<ReturnType<typeof register>>,
  ann: string,
  ben: string,
): Promise<void> {
  await open(here, ben);
  for (let at = 1; at <= MANY; at += 1) {
    await write(there, `Number ${String(at)} ${"and some more words ".repeat(at % 7)}`);
  }
  await sees(here, `Number ${String(MANY)}`);
  const atEnd = async (): Promise<boolean> => {
    const { top, end } = await scrolled(here);
    return Math.abs(end - top) <= 2;
  };
  await until(atEnd, "the newest message is seen");
  // Loaded anew it opens at its end, and up to the first message all are there once.
  await here.reload();
  await here.getByRole("region", { name: ben }).waitFor();
  await until(atEnd, "it opens at its end");
  const seen = new Set<string>();
  const region = here.getByRole("region", { name: ben });
  await region.focus();
  for (let step = 0; step < 400 && !seen.has("Hello Ben"); step += 1) {
    for (const text of await region.locator(".text").allInnerTexts())
      seen.add(text.split(" and")[0]?.trim() ?? "");
    await here.mouse.move(700, 300);
    await here.mouse.wheel(0, -500);
    const { nodes } = await scrolled(here);
    assert.ok(nodes <= 1_500, `${String(nodes)} nodes`);
  }
  const numbers = [...seen].filter((one) => /^Number \d+$/.test(one));
  assert.equal(numbers.length, MANY);
  // Somebody reads far up: what comes is told, and moves nothing.
  await here.mouse.wheel(0, 900);
  const top = (): Promise<number | undefined> =>
    region.evaluate((place) => {
      const edge = place.getBoundingClientRect().top;
      const row = [...place.querySelectorAll("[data-key]")].find(
        (one) => one.getBoundingClientRect().bottom > edge + 5,
      );
      return row?.getBoundingClientRect().top;
    });
  await here.getByRole("button", { name: /To the newest/ }).waitFor();
  const before = await top();
  await write(there, "Something new");
  const pill = here.getByRole("button", { name: "1 new message" });
  await pill.waitFor();
  assert.equal(await top(), before);
  await pill.click();
  await sees(here, "Something new");
  await until(atEnd, "the pill leads to the newest message");
  await comes(there, "Something new", "Read");
  assert.ok(ann !== ben);
}
