/** Files: chosen, dropped, given up, shown as pictures in a place that was kept for them, and saved. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { deflateSync, crc32 } from "node:zlib";

import type { Page } from "playwright-core";

import { person } from "../tabs/scene.ts";
import { cue } from "./cue.ts";
import { comes, register, sees, start, until } from "./hands.ts";
import { look, seen } from "./looks.ts";

/** A picture of one colour. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.of(0), Buffer.alloc(width * 3, Buffer.of(40, 120, 90))]);
  const rows = deflateSync(Buffer.concat(Array<Buffer>(height).fill(row)));
  const magic = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([magic, chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

async function choose(page: Page, name: string, buffer: Buffer, mimeType = ""): Promise<void> {
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Attach files" }).click();
  await (await chooser).setFiles({ name, buffer, mimeType });
}

async function pictures(page: Page): Promise<void> {
  const [width, height] = [240, 120];
  await choose(page, "view.png", png(width, height), "image/png");
  const shown = page.getByRole("img", { name: /^Picture: .*view\.png/ });
  await shown.waitFor();
  const sides = await shown.evaluate((one) => {
    const { naturalWidth, naturalHeight } = one as HTMLImageElement;
    return [naturalWidth, naturalHeight];
  });
  assert.deepEqual(sides, [width, height]);
  const { content } = await cue("got", { name: "view.png" });
  assert.equal(content, png(width, height).toString("base64"));
  // Its place is as large before the picture is there as after: the page is loaded anew, and held for a moment.
  const place = page.locator(".picture");
  const size = (): Promise<string> =>
    place.evaluate((one) => `${String(one.clientWidth)} x ${String(one.clientHeight)}`);
  const after = await size();
  await page.addInitScript(() => {
    const create = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (made) => {
      const found = document.querySelector(".picture");
      document.title = `${String(found?.clientWidth)} x ${String(found?.clientHeight)}`;
      return create(made);
    };
  });
  await page.reload();
  await shown.waitFor();
  assert.equal(await size(), after);
  const [before = ""] = /\d+ x \d+/.exec(await page.title()) ?? [await size()];
  assert.equal(before, after);
}

async function given(page: Page): Promise<void> {
  // Made in the page: through the line to the browser it would take longer than the test waits.
  await page.locator("input[type=file]").evaluate((input: HTMLInputElement) => {
    const chosen = new DataTransfer();
    chosen.items.add(new File([new Uint8Array(40 * 1_048_576).fill(7)], "large.bin"));
    input.files = chosen.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  const cancel = page.getByRole("button", { name: /^Don't send .*large\.bin/ });
  await page.getByRole("progressbar").waitFor();
  await cancel.click();
  await cancel.waitFor({ state: "detached" });
}

async function dropped(page: Page): Promise<void> {
  const transfer = await page.evaluateHandle(() => {
    const made = new DataTransfer();
    made.items.add(new File(["dropped here"], "dropped.txt", { type: "text/plain" }));
    return made;
  });
  const place = page.locator(".drop-place");
  await place.dispatchEvent("dragenter", { dataTransfer: transfer });
  await page.getByText("Drop files here to send them").waitFor();
  await place.dispatchEvent("drop", { dataTransfer: transfer });
  await page.getByText("Drop files here to send them").waitFor({ state: "detached" });
  await comes(page, "dropped.txt", "Delivered");
  const { content = "" } = await cue("got", { name: "dropped.txt" });
  assert.equal(Buffer.from(content, "base64").toString(), "dropped here");
}

async function saved(page: Page, ann: string): Promise<void> {
  // A name that is turned round on the way to the eye, and content that must not be opened.
  const content = Buffer.from("<script>alert(1)</script>".repeat(10));
  await cue("sends", { to: ann, name: "holiday\u202egnp.html", content: content.toString("base64") });
  await sees(page, "holidaygnp.html");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: /^Save .*holidaygnp\.html/ }).click();
  const found = await download;
  assert.equal(found.suggestedFilename(), "holidaygnp.html");
  assert.deepEqual(await readFile(await found.path()), content);
  // It says that it is a picture, and is none.
  await cue("sends", { to: ann, name: "no.png", content: content.toString("base64") });
  await sees(page, "no.png");
  assert.equal(await page.getByRole("img", { name: /Picture/ }).count(), 1);
}

export async function files(): Promise<object> {
  const { name = "" } = await cue("arrive", { name: "ben" });
  const ann = await person("ann");
  const page = await register(ann);
  await start(page, name);
  await pictures(page);
  await given(page);
  await dropped(page);
  await saved(page, ann.name);
  await look(page, "files");
  await until(async () => (await page.getByRole("progressbar").count()) === 0, "nothing is under way");
  assert.equal(await page.getByText("large.bin").count(), 0);
  return seen;
}
