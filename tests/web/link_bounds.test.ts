/** What a connection waits for, sends and hands on is bounded. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as rules from "../../messenger/web/client/src/net/link.ts";
import type { ClientFrame } from "../../messenger/web/client/src/wire/frames.ts";
import { MOST } from "../../messenger/web/client/src/net/answers.ts";
import { DEVICE, NOW, Run, TALK, message, names, written } from "./link_run.ts";

test("answers are waited for so long, and so many", () => {
  const run = new Run().up();
  const ask = (ref: string, timeout?: number): boolean =>
    run.link.say({ type: "ping", ref }, run.now, timeout);
  for (let count = 0; count < MOST; count += 1) assert.ok(ask(`r${String(count)}`, 5_000));
  assert.ok(!ask("one more") && !ask("r0") && !ask("~token"));
  run.after(() => undefined);
  const answered = run.receive(
    { type: "pong", ref: "r0" },
    { type: "error", ref: "r1", code: "gone", detail: "" },
  );
  assert.deepEqual(names(answered), ["answer", "answer"]);
  assert.ok(ask("r0"));
  run.after(() => undefined);
  const sent = { type: "sent", ref: "late", conversation_id: TALK, seq: 3, created_at: NOW };
  assert.deepEqual(names(run.receive(sent)), ["hand"], "an answer that nobody waits for any longer");
  run.now = 5_000;
  const late = run.after((link, now) => {
    link.tick(now);
  });
  assert.equal(late.filter((one) => one.do === "answer" && one.frame === null).length, MOST - 2);
  assert.deepEqual(names(run.closed(1006)), ["answer", "waiting"], "lost with the socket");
});

test("what is sent is bounded, and held back where the server says so", () => {
  const run = new Run().up();
  const big = (ref: string): ClientFrame => ({
    ...{ type: "send", ref, conversation_id: TALK, client_id: DEVICE, kind: "text", partial: false },
    content: new Uint8Array(300_000),
  });
  let count = 0;
  while (run.link.say(big(String(count)), 0)) count += 1;
  assert.equal(count, 10, "4 MiB");
  assert.throws(() => run.link.say({ ...big("x"), content: new Uint8Array(900_000) } as ClientFrame, 0), {
    name: "FrameTooLong",
  });
  run.link.flush(1, 0);
  assert.deepEqual(names(run.link.take()), ["write"], "as far as there is room");
  run.receive({ type: "error", ref: null, code: "rate_limited", detail: "", retry_after: 3 });
  assert.deepEqual(written(run.link.take()), []);
  assert.equal(run.link.wakesAt(0), 3_000);
  assert.equal(
    written(
      run.after((link) => {
        link.nudge(0);
      }),
    )[0]?.type,
    "ping",
    "this goes all the same",
  );
  assert.equal(written(run.wake()).length, 3, "as far as there is room");
});

test("what is not taken is given up, and comes again once all is", () => {
  const run = new Run().up();
  const content = "A".repeat(1_000_000);
  let bytes = 0;
  let seq = 0;
  while (run.link.state === "up") {
    seq += 1;
    for (const one of run.receive(message(seq, content))) if (one.do === "hand") bytes += one.bytes;
  }
  assert.ok(bytes > rules.MAX_UNTAKEN && bytes < rules.MAX_UNTAKEN + rules.MAX_MESSAGE);
  assert.equal(run.link.wakesAt(run.now), Number.POSITIVE_INFINITY);
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.nudge(now);
      }),
    ),
    [],
  );
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.taken(bytes - 1, now);
      }),
    ),
    [],
  );
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.taken(1, now);
      }),
    ),
    ["open", "opening"],
  );
  const long = new Run().up();
  const text = `{"type":"synced","x":"${"x".repeat(rules.MAX_MESSAGE)}"}`;
  assert.deepEqual(
    names(
      long.after((link, now) => {
        link.received(text, now);
      }),
    ),
    ["drop", "waiting"],
  );
});
