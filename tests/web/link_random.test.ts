/** A connection to which anything happens in any order. */

import assert from "node:assert/strict";
import { test } from "node:test";

import type * as rules from "../../messenger/web/client/src/net/link.ts";
import { random } from "./files.ts";
import { Run, TALK, hello, message } from "./link_run.ts";

test("whatever happens in whatever order, it stays in bounds", () => {
  const draw = random();
  for (let round = 0; round < 400; round += 1) {
    const run = new Run(draw);
    let socket: "none" | "opening" | "open" = "none";
    const asked = new Set<string>();
    let over = false;
    let untaken = 0;
    const happen = (what: (link: rules.Link, now: number) => unknown): void => {
      for (const one of run.after(what)) {
        switch (one.do) {
          case "open":
            assert.equal(socket, "none", "one at a time");
            socket = "opening";
            break;
          case "drop":
            socket = "none";
            break;
          case "write":
            assert.equal(socket, "open");
            break;
          case "answer":
            assert.ok(asked.delete(one.ref), "each once");
            break;
          case "hand":
            untaken += one.bytes;
            break;
          case "over":
            over = true;
            break;
          default:
        }
      }
      assert.ok(run.link.state === "up" || asked.size === 0);
      const waits = run.link.wakesAt(run.now) - run.now;
      if (run.link.state === "stopped") assert.equal(waits, Number.POSITIVE_INFINITY);
      else if (untaken === 0) assert.ok(waits <= 90_000, `${run.link.state} ${String(waits)}`);
    };
    happen((link, now) => {
      link.start(now);
    });
    const open = (link: rules.Link, now: number): void => {
      if (socket !== "opening") return;
      socket = "open";
      link.opened(now + 900_000 * draw(), now);
    };
    const greet = (link: rules.Link, now: number): void => {
      if (socket === "open") link.received(hello(), now);
    };
    const events: ((link: rules.Link, now: number) => unknown)[] = [
      open,
      open,
      greet,
      greet,
      (link, now) => {
        if (socket === "open") link.received(`[${JSON.stringify(message(1))},{"type":"synced"}]`, now);
      },
      (link, now) => {
        if (socket === "open") link.received('{"type":"token","ref":"~token","expires_in":90}', now);
      },
      (link, now) => {
        if (socket === "open" && draw() < 0.1) link.received("no frame", now);
      },
      (link, now) => {
        if (socket === "none" || draw() < 0.5) return;
        socket = "none";
        const codes = [1000, 1001, 1006, 1006, 1011, 4401, 4408, 4409, 4429];
        link.closed(codes[Math.floor(draw() * codes.length)] ?? 1006, now);
      },
      (link, now) => {
        if (socket !== "opening") return;
        socket = "none";
        link.notOpened("away", now, draw() < 0.5 ? 0 : 5_000);
      },
      (link, now) => {
        link.nudge(now);
      },
      (link, now) => {
        const ref = `r${String(Math.floor(draw() * 20))}`;
        if (link.say({ type: "ping", ref }, now, 20_000 * draw())) asked.add(ref);
      },
      (link, now) => {
        const [ref] = asked;
        if (ref !== undefined && socket === "open") link.received(JSON.stringify({ type: "pong", ref }), now);
      },
      (link, now) => link.say({ type: "ack", conversation_id: TALK, seq: 3 }, now),
      (link, now) => {
        link.renewed("fresh", now + 900_000, now);
      },
      (link, now) => {
        link.notRenewed(now);
      },
      (link, now) => {
        link.taken(untaken, now);
        untaken = 0;
      },
      (link) => {
        if (draw() < 0.05) link.stop();
      },
      (link, now) => {
        if (over) link.start(now);
      },
    ];
    for (let step = 0; step < 120; step += 1) {
      const event = events[Math.floor(draw() * events.length)];
      if (draw() < 0.3) {
        const at = run.link.wakesAt(run.now);
        run.now = Number.isFinite(at) ? at : run.now + 1_000;
        happen((link, now) => {
          link.tick(now);
        });
      } else {
        run.now += 3_000 * draw();
        if (event !== undefined) happen(event);
      }
    }
  }
});
