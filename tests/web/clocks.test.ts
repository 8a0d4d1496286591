/** A device's clock that is set, forwards or back: what is waited for comes all the same. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { DeviceKeys, PeerSessions, Rosters } from "../../messenger/web/client/src/e2e/index.ts";
import { type Clock, SteadyTime } from "../../messenger/web/client/src/net/clock.ts";
import type { Listener } from "../../messenger/web/client/src/net/actions.ts";
import { Connection } from "../../messenger/web/client/src/net/socket.ts";
import type { SessionTokens } from "../../messenger/web/client/src/net/tokens.ts";
import { QUIET } from "../../messenger/web/client/src/net/pulse.ts";
import { DEVICE, USER, hello } from "./link_run.ts";

const HOUR = 3_600_000;
const YEAR = 365 * 86_400;

/** Timers go by the time that passes, the date by what somebody set. */
class SetClock implements Clock {
  #passed = 0;
  #set = 1_800_000_000_000;
  #timers: { readonly at: number; readonly call: () => void }[] = [];

  now(): number {
    return this.#set + this.#passed;
  }

  draw(): number {
    return 1;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.#passed + milliseconds, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  set(by: number): void {
    this.#set += by;
  }

  pass(milliseconds: number): void {
    const end = this.#passed + milliseconds;
    for (;;) {
      const [next] = this.#timers.toSorted((one, other) => one.at - other.at);
      if (next === undefined || next.at > end) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#passed = Math.max(this.#passed, next.at);
      next.call();
    }
    this.#passed = end;
  }
}

/** A WebSocket that does what a test says. */
class Wire {
  static all: Wire[] = [];
  readonly sent: string[] = [];
  readonly bufferedAmount = 0;
  readonly readyState = 1;
  binaryType = "";
  onopen: () => void = () => undefined;
  onmessage: (event: { readonly data: string }) => void = () => undefined;
  onclose: (event: { readonly code: number }) => void = () => undefined;

  constructor() {
    Wire.all.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    // Nobody waits for it.
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("steady time never goes back, and knows the device's dates", () => {
  const clock = new SetClock();
  const time = new SteadyTime(clock);
  const first = time.now();
  clock.pass(10);
  assert.equal(time.now(), first + 10);
  clock.set(-HOUR);
  assert.equal(time.now(), first + 10);
  clock.pass(5);
  assert.equal(time.now(), first + 15);
  assert.equal(time.of(clock.now()), time.now());
  assert.equal(time.dated(time.now()), clock.now());
  clock.set(2 * HOUR);
  assert.equal(time.now(), first + 15 + 2 * HOUR);
});

test("a clock that is set back keeps no connection waiting, nor a dead one alive", async () => {
  Wire.all = [];
  const clock = new SetClock();
  const told: [string, number | undefined][] = [];
  const listener: Listener = {
    greeted: () => undefined,
    frames: () => Promise.resolve(),
    state: (state, _why, until) => told.push([state, until]),
    over: () => undefined,
    failed: (error) => {
      throw error;
    },
  };
  const tokens = {
    access: () => Promise.resolve("access"),
    expiresAt: clock.now() + HOUR / 4,
  } as unknown as SessionTokens;
  const connection = new Connection({
    ...{ origin: "http://x", userId: USER, deviceId: DEVICE, epoch: null, clock, tokens, listener },
    api: { ticket: () => Promise.resolve({ ticket: "t", expires_in: 60 }) },
    webSocket: Wire as unknown as typeof WebSocket,
  });
  connection.start();
  await turn();
  Wire.all[0]?.onclose({ code: 1006 });
  assert.equal(connection.state, "waiting");
  clock.set(-HOUR);
  clock.pass(2_000);
  await turn();
  assert.equal(Wire.all.length, 2, "it is tried again after a second, and not after an hour");
  const wire = Wire.all[1];
  wire?.onopen();
  wire?.onmessage({ data: hello() });
  assert.equal(connection.state, "up");
  clock.set(-HOUR);
  clock.pass(2 * QUIET + 1_000); // what had passed when the clock was set back is not known
  assert.ok(wire?.sent.some((one) => one.includes('"ping"')));
  clock.pass(11_000);
  assert.equal(connection.state, "waiting", "a dead one is given up");
  // What the user is shown is a moment of the device's own clock.
  const [state, until] = told.at(-1) ?? ["", undefined];
  assert.equal(state, "waiting");
  assert.ok(until !== undefined && until >= clock.now() && until - clock.now() < 60_000);
  // Forwards nothing comes later than it would have.
  clock.set(HOUR);
  for (let second = 0; second < 20; second += 1) {
    clock.pass(1_000);
    await turn();
  }
  await turn();
  assert.equal(Wire.all.length, 3);
  connection.stop();
});

test("what a clock of the future asked holds nothing back", () => {
  const now = 1_800_000_000;
  const rosters = Rosters.none(USER);
  assert.ok(rosters.mayAsk(now + YEAR, 60));
  assert.ok(rosters.mayAsk(now, 60));
  assert.ok(!rosters.mayAsk(now + 59, 60));
  const sessions = PeerSessions.none(USER, DEVICE);
  for (let count = 0; count < 3; count += 1) assert.ok(sessions.mayRepair(now + YEAR));
  assert.ok(!sessions.mayRepair(now + YEAR));
  for (let count = 0; count < 3; count += 1) assert.ok(sessions.mayRepair(now));
  assert.ok(!sessions.mayRepair(now + 60));
  const keys = DeviceKeys.create(USER, DEVICE, now + YEAR);
  assert.ok(keys.signedPrekeyDue(now));
  assert.ok(!keys.signedPrekeyDue(now + YEAR));
});
