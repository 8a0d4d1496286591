/** Long lists: which rows are drawn, that one stays where one reads, and what rows a conversation has. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  merged,
  momentOf,
  retold,
  rowsOf,
  tickOf,
} from "../../../messenger/web/client/src/ui/rules/timeline.ts";
import { Heights, rangeOf } from "../../../messenger/web/client/src/ui/rules/virtual.ts";
import type { ShownMessage } from "../../../messenger/web/client/src/worker/protocol.ts";
import { random } from "../files.ts";

const keys = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => String(from + at));

test("rows lie one below the other, as high as they were measured or as was guessed", () => {
  const heights = new Heights(10);
  assert.deepEqual([heights.total, heights.at(5), heights.between(0, 100)], [0, 0, { from: 0, to: 0 }]);
  assert.equal(heights.anchor(0), undefined);
  heights.set(keys(0, 5));
  assert.equal(heights.measure("1", 30), true);
  assert.equal(heights.measure("1", 30.2), false);
  assert.deepEqual(
    [0, 1, 2, 5].map((at) => heights.top(at)),
    [0, 10, 40, 70],
  );
  assert.deepEqual(
    [0, 9.9, 10, 39, 40, 1_000].map((y) => heights.at(y)),
    [0, 0, 1, 1, 2, 4],
  );
  assert.deepEqual(heights.between(15, 45), { from: 1, to: 3 });
});

test("what is at the upper edge stays there, whatever comes or is measured above it", () => {
  const draw = random();
  for (let run = 0; run < 200; run += 1) {
    const heights = new Heights(60);
    let [first, last] = [1_000, 1_050];
    heights.set(keys(first, last));
    const scrollTop = Math.floor(draw() * heights.total);
    const anchor = heights.anchor(scrollTop);
    assert.ok(anchor !== undefined);
    for (let step = 0; step < 20; step += 1) {
      if (draw() < 0.3) first -= Math.floor(draw() * 40);
      if (draw() < 0.3) last += Math.floor(draw() * 5);
      heights.set(keys(first, last));
      heights.measure(String(first + Math.floor(draw() * (last - first))), 20 + draw() * 300);
    }
    const moved = heights.scrollTop(anchor);
    assert.ok(moved !== undefined);
    const place = heights.place(anchor.key) ?? -1;
    assert.ok(Math.abs(heights.top(place) + anchor.offset - moved) < 1e-6);
    assert.equal(
      heights.anchor(moved)?.key,
      heights.at(moved) === place ? anchor.key : heights.anchor(moved)?.key,
    );
  }
  const heights = new Heights(60);
  heights.set(keys(0, 3));
  assert.equal(heights.scrollTop({ key: "gone", offset: 3 }), undefined);
});

test("a screen of ten thousand rows is drawn from a few of them, and all that is seen is drawn", () => {
  const draw = random();
  const heights = new Heights(60);
  heights.set(keys(0, 10_000));
  for (const key of keys(0, 10_000)) heights.measure(key, 30 + draw() * 90);
  let drawn = { from: 0, to: 0 };
  let times = 0;
  for (let scrollTop = 0; scrollTop < heights.total - 800; scrollTop += 37) {
    const next = rangeOf(heights, scrollTop, 800, drawn);
    if (next !== drawn) times += 1;
    drawn = next;
    assert.ok(heights.top(drawn.from) <= scrollTop);
    assert.ok(heights.top(drawn.to) >= scrollTop + 800);
    assert.ok(drawn.to - drawn.from < 160, `${String(drawn.to - drawn.from)} rows`);
  }
  // Not with each pixel anew.
  assert.ok(times < heights.total / 500, String(times));
});

test("rows that are gone are drawn no more", () => {
  const heights = new Heights(60);
  heights.set(keys(0, 100));
  const drawn = rangeOf(heights, 5_000, 500, { from: 0, to: 0 });
  heights.set(keys(0, 10));
  const after = rangeOf(heights, 0, 500, drawn);
  assert.deepEqual(after, { from: 0, to: 10 });
});

const NOON = new Date(2026, 4, 17, 12).getTime();
const MINUTE = 60_000;

function message(id: number, said: Partial<ShownMessage> = {}): ShownMessage {
  const at = new Date(NOON + id * MINUTE).toISOString();
  return {
    ...{ id, conversation_id: "c", client_id: String(id), sender_id: "ann", sender_device_id: "d" },
    ...{
      seq: id,
      kind: "text",
      text: String(id),
      file: null,
      width: 0,
      height: 0,
      reply_to: null,
      outgoing: false,
    },
    ...{ sent_at: at, received_at: at, created_at: at, state: "received", late: false, gone: false },
    ...{ edited: 0, expires_at: null, expires_in: null, sender: "ann" },
    ...said,
  };
}

const kinds = (rows: ReturnType<typeof rowsOf>) =>
  rows.map((one) => (one.kind === "message" ? one.message.id : one.kind));

test("each day stands above its messages, and where the new ones begin is told once", () => {
  const tomorrow = new Date(NOON + 24 * 60 * MINUTE).toISOString();
  const all = [
    message(1),
    message(2),
    message(3, { created_at: tomorrow }),
    message(4, { created_at: tomorrow }),
  ];
  assert.deepEqual(kinds(rowsOf(all, [], null)), ["day", 1, 2, "day", 3, 4]);
  assert.deepEqual(kinds(rowsOf(all, [], 1)), ["day", 1, "new", 2, "day", 3, 4]);
  // All is new, or nothing is: there is no line between.
  assert.deepEqual(kinds(rowsOf(all, [], 0)), ["day", 1, 2, "day", 3, 4]);
  assert.deepEqual(kinds(rowsOf(all, [], 4)), ["day", 1, 2, "day", 3, 4]);
  const own = all.map((one) => ({ ...one, outgoing: true }));
  assert.deepEqual(kinds(rowsOf(own, [], 1)), ["day", 1, 2, "day", 3, 4]);
  assert.deepEqual(rowsOf([], [], null), []);
});

test("rows have names of their own, even where a clock went back", () => {
  const all = [1, 2, 3, 4].map((id) =>
    message(id, { created_at: new Date(NOON - (id % 2) * 48 * 60 * MINUTE).toISOString() }),
  );
  const rows = rowsOf(all, [], null);
  assert.deepEqual(kinds(rows), ["day", 1, "day", 2, "day", 3, "day", 4]);
  assert.equal(new Set(rows.map((one) => one.key)).size, rows.length);
});

test("messages of one person within minutes are a group", () => {
  const all = [message(1), message(2), message(3, { sender_id: "ben" }), message(4), message(20)];
  const edges = rowsOf(all, [], null).flatMap((one) =>
    one.kind === "message" ? [[one.isFirst, one.isLast]] : [],
  );
  assert.deepEqual(edges, [
    [true, false],
    [false, true],
    [true, true],
    [true, true],
    [true, true],
  ]);
});

test("a message that can't be opened yet stands at its place", () => {
  const closed = (...places: number[]) => places.map((seq) => ({ seq, sender: "ann" }));
  const all = [message(2), message(4), message(6, { seq: null, outgoing: true, state: "queued" })];
  assert.deepEqual(kinds(rowsOf(all, closed(3, 5), null)), ["day", 2, "unopened", 4, "unopened", 6]);
  // What lies before the first message comes with that.
  assert.deepEqual(kinds(rowsOf(all, closed(1), null)), ["day", 2, 4, 6]);
  assert.deepEqual(kinds(rowsOf([], closed(1), null)), ["unopened"]);
  assert.deepEqual(kinds(rowsOf([message(2)], closed(9, 7), null)), ["day", 2, "unopened", "unopened"]);
});

test("messages are taken in by their places, once", () => {
  const ids = (all: readonly ShownMessage[]) => all.map((one) => `${String(one.id)}${one.text}`);
  const known = [message(1, { text: "a" }), message(2, { text: "b" })];
  const queued = message(3, { text: "c", seq: null });
  assert.deepEqual(ids(merged(known, [queued, message(2, { text: "B" })])), ["1a", "2B", "3c"]);
  // It has got its place, before one that has come meanwhile.
  const settled = merged([...known, message(4, { text: "d", seq: 8 }), queued], [{ ...queued, seq: 7 }]);
  assert.deepEqual(ids(settled), ["1a", "2b", "3c", "4d"]);
  assert.equal(merged(known, []), known);
  assert.deepEqual(ids(retold(settled, [message(2, { text: "x" }), message(9, { text: "y" })])), [
    "1a",
    "2x",
    "9y",
  ]);
  assert.deepEqual(retold(known, []), []);
});

test("a tick says how far a message has come", () => {
  const come = { delivered: 5, read: 3 };
  const of = (said: Partial<ShownMessage>) =>
    tickOf(message(1, { outgoing: true, state: "sent", ...said }), come);
  assert.deepEqual(
    [
      of({ seq: 3 }),
      of({ seq: 5 }),
      of({ seq: 6 }),
      of({ seq: null }),
      of({ seq: null, state: "queued" }),
      of({ state: "failed" }),
      of({ state: "deleted" }),
      of({ outgoing: false, state: "received" }),
    ],
    ["read", "delivered", "sent", "sent", "queued", "failed", null, null],
  );
});

test("a message without a time is not one of today", () => {
  assert.equal(momentOf(message(1, { created_at: null, sent_at: "no time" })), 0);
});
