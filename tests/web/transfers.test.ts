/** Files on their way: some at a time, each given up by name; and which bytes are a picture that may be shown. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { pictureOf } from "../../messenger/web/client/src/engine/pictures.ts";
import { Transfers } from "../../messenger/web/client/src/worker/transfers.ts";
import { concat, utf8 } from "../../messenger/web/client/src/wire/bytes.ts";
import { random } from "./files.ts";

/** Work that somebody ends. */
function work() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (name: string) => (signal: AbortSignal) => {
    begun.push(name);
    return new Promise<string>((resolve, reject) => {
      ends.set(name, () => {
        resolve(name);
      });
      signal.addEventListener("abort", () => {
        reject(new Error("aborted"));
      });
    });
  };
  return { begun, ends, run };
}

const turns = async (): Promise<void> => {
  for (let count = 0; count < 10; count += 1) await Promise.resolve();
};

test("three are on their way, and the next one begins when one has ended", async () => {
  const [transfers, { begun, ends, run }] = [new Transfers(), work()];
  const all = ["a", "b", "c", "d", "e"].map((name) => transfers.run(name, run(name)));
  await turns();
  assert.deepEqual(begun, ["a", "b", "c"]);
  ends.get("b")?.();
  await turns();
  assert.deepEqual(begun, ["a", "b", "c", "d"]);
  for (const name of ["a", "c", "d"]) ends.get(name)?.();
  await turns();
  ends.get("e")?.();
  assert.deepEqual(await Promise.all(all), ["a", "b", "c", "d", "e"]);
});

test("one is given up on its way, or before it began, and the others go on", async () => {
  const [transfers, { begun, ends, run }] = [new Transfers(), work()];
  const all = new Map(["a", "b", "c", "d", "e"].map((name) => [name, transfers.run(name, run(name))]));
  await turns();
  for (const name of ["d", "b"]) {
    transfers.cancel(name);
    await assert.rejects(all.get(name) ?? Promise.resolve(), { name: "Cancelled", code: "cancelled" });
  }
  transfers.cancel("nobody");
  await turns();
  assert.deepEqual(begun, ["a", "b", "c", "e"]);
  for (const name of ["a", "c", "e"]) ends.get(name)?.();
  for (const name of ["a", "c", "e"]) assert.equal(await all.get(name), name);
  // A failure is its own, and gives the turn on.
  const failed = transfers.run("f", () => Promise.reject(new TypeError("broken")));
  await assert.rejects(failed, { name: "TypeError" });
  const later = transfers.run("b", run("b"));
  await turns();
  ends.get("b")?.();
  assert.equal(await later, "b");
});

test("there are not any number of them, nor two of one name", async () => {
  const [transfers, { ends, run }] = [new Transfers(), work()];
  const refused = { name: "TooManyTransfers", code: "too_many_transfers" };
  const names = Array.from({ length: 100 }, (_, at) => String(at));
  const all = names.map((name) => transfers.run(name, run(name)));
  await assert.rejects(transfers.run("another", run("another")), refused);
  for (const name of names.slice(0, 3)) {
    await turns();
    ends.get(name)?.();
  }
  await Promise.all(all.slice(0, 3));
  await assert.rejects(transfers.run("50", run("50")), refused);
  for (const name of names.slice(3)) transfers.cancel(name);
  const ended = await Promise.allSettled(all);
  assert.equal(ended.filter((one) => one.status === "rejected").length, 97);
});

// pictures

const be = (size: 2 | 4, ...values: readonly number[]): Uint8Array =>
  concat(
    ...values.map((value) => Uint8Array.from({ length: size }, (_, at) => value >>> (8 * (size - 1 - at)))),
  );
const le = (size: 2 | 4, ...values: readonly number[]): Uint8Array =>
  concat(...values.map((value) => be(size, value).reverse()));
const latin = (text: string): Uint8Array => Uint8Array.from(text, (one) => one.charCodeAt(0));

const png = (width: number, height: number): Uint8Array =>
  concat(latin("\x89PNG\r\n\x1a\n"), be(4, 13), latin("IHDR"), be(4, width, height));
const jpeg = (width: number, height: number, ...segments: readonly Uint8Array[]): Uint8Array =>
  concat(latin("\xff\xd8"), ...segments, latin("\xff\xc2\x00\x11\x08"), be(2, height, width), latin("\x03"));
const app1 = concat(latin("\xff\xe1"), be(2, 10), utf8("Exif...."));
const riff = (chunk: string, ...parts: readonly Uint8Array[]): Uint8Array =>
  concat(latin("RIFF"), le(4, 100), latin("WEBP"), latin(chunk), le(4, 80), ...parts);

const PICTURES: Readonly<Record<string, Uint8Array>> = {
  "image/png": png(640, 480),
  "image/jpeg": jpeg(640, 480, app1),
  "image/gif": concat(latin("GIF89a"), le(2, 640, 480)),
  "image/webp VP8X": riff("VP8X", le(4, 0), le(2, 639), latin("\0"), le(2, 479), latin("\0")),
  "image/webp VP8L": riff("VP8L", latin("\x2f"), le(4, 639 | (479 << 14))),
  "image/webp VP8 ": riff("VP8 ", latin("\0\0\0\x9d\x01\x2a"), le(2, 640, 480)),
};

for (const [name, head] of Object.entries(PICTURES)) {
  test(`${name} is told by its bytes, whole or cut off`, () => {
    const [type] = name.split(" ");
    assert.deepEqual(pictureOf(concat(head, new Uint8Array(20))), { type, width: 640, height: 480 });
    for (let size = 0; size < head.length - 1; size += 1)
      assert.equal(pictureOf(head.subarray(0, size)), undefined);
  });
}

test("what a browser should not unpack or open is no picture", () => {
  for (const said of [
    "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "<html>",
    "%PDF-1.7",
    "GIF88a123456789",
    "",
  ]) {
    assert.equal(pictureOf(concat(utf8(said), new Uint8Array(20))), undefined, said);
  }
  assert.equal(pictureOf(png(0, 480)), undefined);
  assert.equal(pictureOf(png(65_536, 1)), undefined);
  assert.equal(pictureOf(png(10_000, 10_000)), undefined);
  assert.equal(pictureOf(png(2 ** 31, 2 ** 31)), undefined);
  assert.ok(pictureOf(png(7_000, 7_000)));
  // Segments without an end, or of no length.
  assert.equal(pictureOf(concat(latin("\xff\xd8"), ...Array<Uint8Array>(5_000).fill(app1))), undefined);
  assert.equal(
    pictureOf(concat(latin("\xff\xd8\xff\xe1"), be(2, 0), latin("\xff\xff"), be(2, 0))),
    undefined,
  );
});

test("any bytes at all are a picture or none, at once", () => {
  const draw = random();
  const heads = Object.values(PICTURES);
  for (let count = 0; count < 2_000; count += 1) {
    const head = (heads[count % heads.length] ?? new Uint8Array()).slice();
    for (let spoiled = 0; spoiled < 3; spoiled += 1) head[Math.floor(draw() * head.length)] = draw() * 256;
    const found = pictureOf(head);
    assert.ok(found === undefined || found.width * found.height <= 50_000_000);
  }
});
