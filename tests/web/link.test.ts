/** When a connection is opened, kept and given up: by tables. */

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Action } from "../../messenger/web/client/src/net/actions.ts";
import * as rules from "../../messenger/web/client/src/net/link.ts";
import { LATE, PONG, QUIET } from "../../messenger/web/client/src/net/pulse.ts";
import { EARLY, RENEW_AGAIN } from "../../messenger/web/client/src/net/lease.ts";
import { STEADY } from "../../messenger/web/client/src/net/absence.ts";
import { BEARER_PREFIX } from "../../messenger/web/client/src/wire/frames.ts";
import type { ClientFrame } from "../../messenger/web/client/src/wire/frames.ts";
import { DEVICE, ENDS, Run, TALK, USER, hello, names, written } from "./link_run.ts";

test("a connection is opened, greeted and used", () => {
  const run = new Run();
  assert.equal(run.link.wakesAt(0), Number.POSITIVE_INFINITY);
  const open = run.after((link, now) => {
    link.start(now);
  });
  assert.deepEqual(open[0], { do: "open", by: "token", fresh: false });
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.start(now);
      }),
    ),
    [],
    "once",
  );
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.opened(ENDS, now);
      }),
    ),
    [],
  );
  assert.equal(run.link.say({ type: "ping", ref: "a" }, 0), false, "not before the greeting");
  const greeted = run.after((link, now) => {
    link.received(`[${hello()},{"type":"synced"},{"type":"x-new"}]`, now);
  });
  assert.deepEqual(names(greeted), ["greet", "up", "hand"]);
  assert.ok(greeted[2]?.do === "hand");
  assert.deepEqual(greeted[2].frames, [{ type: "synced" }]);
  const ack = (seq?: number, change?: number): ClientFrame => ({
    type: "ack",
    conversation_id: TALK,
    ...(seq === undefined ? {} : { seq }),
    ...(change === undefined ? {} : { change }),
  });
  const sent = run.after((link, now) => {
    assert.ok(link.say(ack(7), now));
    assert.ok(link.say({ type: "presence", status: "away" }, now));
    assert.ok(link.say(ack(undefined, 3), now));
    assert.ok(link.say(ack(5), now));
    assert.ok(link.say({ type: "typing", conversation_id: TALK, is_typing: true }, now));
    assert.ok(link.say({ type: "typing", conversation_id: TALK, is_typing: false }, now));
  });
  assert.deepEqual(names(sent), ["write"], "one array");
  assert.deepEqual(written(sent), [
    { type: "ack", conversation_id: TALK, seq: 7, change: 3 },
    { type: "presence", status: "away" },
    { type: "typing", conversation_id: TALK, is_typing: false },
  ]);
  assert.deepEqual(
    names(
      run.after((link) => {
        link.stop();
      }),
    ),
    ["drop", "stopped", "over"],
  );
  assert.equal(run.link.wakesAt(run.now), Number.POSITIVE_INFINITY);
});

test("what close codes mean", () => {
  const second = 1_000;
  for (const [code, steady, wait, untilNudged, fresh] of [
    // Half of a spread of 10 s; after a short connection, half of a back-off from 1 s on top.
    [1006, true, 5_000, second, false],
    [1006, false, 5_500, second, false],
    [1001, true, 5_000, 5_000, false],
    [4408, true, 5_000, 5_000, false],
    [4401, true, 0, 0, true],
    [4401, false, 500, 500, true],
    [4429, true, 15_000, 10_000, false],
    [4429, false, 15_500, 10_000, false],
    [1007, true, 5_000, second, false],
  ] as const) {
    const name = `${String(code)} ${String(steady)}`;
    const run = new Run().up();
    run.now += steady ? STEADY : 0;
    const closed = run.closed(code);
    const [tell] = closed;
    assert.ok(tell?.do === "tell" && tell.state === "waiting", name);
    assert.equal(tell.until, run.now + wait, name);
    assert.equal(run.link.wakesAt(run.now), run.now + wait, name);
    const before = run.now;
    run.after((link, now) => {
      link.nudge(now);
    });
    const nudged = run.link.state === "opening" ? run.now : run.link.wakesAt(run.now);
    const soonest = steady ? before : Math.min(before + untilNudged, before + wait);
    assert.equal(nudged, untilNudged === second ? soonest : before + untilNudged, name);
    if (run.link.state === "waiting") {
      const open = run.wake().find((one) => one.do === "open");
      assert.deepEqual(open, { do: "open", by: "token", fresh }, name);
    }
  }
});

test("taken over is told, and no loop", () => {
  const run = new Run().up();
  assert.deepEqual(names(run.closed(4409)), ["drop", "stopped", "over"]);
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.nudge(now);
      }),
    ),
    [],
  );
  run.now += 1e9;
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.tick(now);
      }),
    ),
    [],
  );
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.start(now);
      }),
    ),
    ["open", "opening"],
    "here, when wished for",
  );
});

test("failures back off from 1 s to 60 s, and ask for a ticket, which says what is wrong", () => {
  const run = new Run(() => 1);
  run.after((link, now) => {
    link.start(now);
  });
  const waits: number[] = [];
  for (let count = 0; count < 9; count += 1) {
    run.closed(1006);
    waits.push(run.link.wakesAt(run.now) - run.now);
    assert.deepEqual(run.wake()[0], { do: "open", by: "ticket", fresh: false });
  }
  assert.deepEqual(
    waits,
    [1, 2, 4, 8, 16, 32, 60, 60, 60].map((one) => one * 1_000),
  );
  run.after((link, now) => {
    link.notOpened("busy", now, 120_000);
  });
  assert.equal(run.link.wakesAt(run.now), run.now + 180_000);
  run.after((link, now) => {
    link.nudge(now);
  });
  assert.equal(run.link.wakesAt(run.now), run.now + 120_000, "no sooner than the server says");
  run.wake();
  assert.deepEqual(
    names(
      run.after((link) => {
        link.ended("removed");
      }),
    ),
    ["drop", "stopped", "over"],
  );
});

test("every wait ends", () => {
  const run = new Run(() => 0);
  run.after((link, now) => {
    link.start(now);
  });
  assert.equal(run.link.wakesAt(0), rules.OPENING);
  assert.deepEqual(names(run.wake()), ["drop", "waiting"]);
  run.wake();
  run.after((link, now) => {
    link.opened(now + ENDS, now);
  });
  assert.deepEqual(names(run.wake()), ["drop", "waiting"], "no greeting");
  run.wake();
  run.after((link, now) => {
    link.opened(now + ENDS, now);
  });
  for (const bad of [
    hello({ device_id: USER }),
    hello({ user_id: DEVICE }),
    '{"type":"synced"}',
    "[]",
    "x",
    "{}",
  ]) {
    const other = new Run();
    other.after((link, now) => {
      link.start(now);
    });
    other.after((link, now) => {
      link.opened(now + ENDS, now);
    });
    assert.deepEqual(
      names(
        other.after((link, now) => {
          link.received(bad, now);
        }),
      ),
      ["drop", "waiting"],
      bad,
    );
  }
  run.after((link, now) => {
    link.received(hello(), now);
  });
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.received('{"type":"pong"}', now);
      }),
    ),
    ["drop", "waiting"],
  );
});

test("silence is asked about, and given up", () => {
  const run = new Run(() => 0).up();
  assert.equal(run.link.wakesAt(run.now), QUIET);
  const [ping] = written(run.wake());
  assert.ok(ping?.type === "ping");
  assert.deepEqual(names(run.receive({ type: "pong", ref: ping.ref })), [], "an answer to nobody else");
  assert.equal(run.link.wakesAt(run.now), run.now + QUIET);
  run.now += 500;
  assert.equal(
    written(
      run.after((link, now) => {
        link.nudge(now);
      }),
    )[0]?.type,
    "ping",
    "online, or woken up",
  );
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.nudge(now);
      }),
    ),
    [],
    "one at a time",
  );
  run.now += PONG + LATE + 1;
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.tick(now);
      }),
    ),
    [],
    "slept: what waits is read first",
  );
  assert.deepEqual(names(run.wake()), ["drop", "waiting"]);
  assert.deepEqual(
    names(
      run.after((link, now) => {
        link.received(hello(), now);
      }),
    ),
    [],
    "nothing more is heard of it",
  );
});

test("the token is renewed before it ends", () => {
  const run = new Run().up();
  const pass = (): Action[] => {
    for (;;) {
      const actions = run.wake();
      const renew = actions.filter((one) => one.do === "renew");
      const [frame] = written(actions);
      if (frame?.type === "ping") run.receive({ type: "pong", ref: frame.ref });
      if (renew.length > 0 || frame?.type !== "ping") return renew;
    }
  };
  assert.deepEqual(pass(), [{ do: "renew" }]);
  assert.equal(run.now, ENDS - EARLY);
  run.after((link, now) => {
    link.renewed("same", ENDS, now);
  });
  assert.deepEqual(pass(), [{ do: "renew" }], "the same one is none");
  assert.equal(run.now, ENDS - EARLY + RENEW_AGAIN);
  run.after((link, now) => {
    link.notRenewed(now);
  });
  assert.deepEqual(pass(), [{ do: "renew" }]);
  const [token] = written(
    run.after((link, now) => {
      link.renewed("fresh", now + ENDS, now);
    }),
  );
  assert.ok(token?.type === "token" && token.access_token === "fresh");
  assert.deepEqual(names(run.receive({ type: "token", ref: token.ref, expires_in: 600 })), []);
  const before = run.now;
  assert.deepEqual(pass(), [{ do: "renew" }]);
  assert.equal(run.now, before + 600_000 - EARLY);
  assert.equal(BEARER_PREFIX, "bearer.");
});

test("another epoch is told", () => {
  for (const [known, said, changed] of [
    [null, "e1", false],
    ["e1", "e1", false],
    ["e0", "e1", true],
    ["e0", "", false],
  ] as const) {
    const run = new Run(() => 0, known);
    run.after((link, now) => {
      link.start(now);
    });
    run.after((link, now) => {
      link.opened(now + ENDS, now);
    });
    const [greet] = run.after((link, now) => {
      link.received(hello({ epoch: said }), now);
    });
    assert.ok(greet?.do === "greet");
    assert.equal(greet.epochChanged, changed);
  }
});
