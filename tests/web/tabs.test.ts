/** What tabs do about each other: by cases, and with tabs and workers that die at random moments. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type Ask,
  OPENING,
  type Outcome,
  type Said,
  type Status,
} from "../../messenger/web/client/src/worker/protocol.ts";
import { type Action, type Role, Tab } from "../../messenger/web/client/src/worker/tabs.ts";
import { random } from "./files.ts";

const OPEN: Status = { ...OPENING, profile: "open", username: "ann", connection: "online" };

/** A worker, dead or alive; `asks` are on their way to it. */
interface Worker {
  readonly name: string;
  readonly asks: Ask[];
  isReady: boolean;
}

/** One page: what came to its tab, and what it has heard of its calls. */
class Page {
  readonly name: string;
  readonly tab: Tab;
  readonly inbox: Said[] = [];
  readonly outcomes = new Map<number, Outcome[]>();
  readonly events: number[] = [];
  worker: Worker | undefined;
  isLeader = false;

  constructor(browser: Browser, name: string, version: string) {
    this.name = name;
    this.tab = new Tab({ tab: name, version, name: () => `worker${String((browser.workers += 1))}` });
  }

  ask(): number {
    const call = this.tab.ask("conversations", null);
    this.outcomes.set(call, []);
    return call;
  }
}

/** Tabs of one browser: a lock, a channel, and workers, which all go on one step at a time. */
class Browser {
  readonly pages: Page[] = [];
  readonly done = new Map<string, number>();
  workers = 0;
  names = 0;
  ends = 0;

  open(version = "1"): Page {
    const page = new Page(this, `tab${String((this.names += 1))}`, version);
    this.pages.push(page);
    this.carryOut(page);
    return page;
  }

  /** It is gone, with its worker; what it has said is heard still. */
  close(page: Page): void {
    this.pages.splice(this.pages.indexOf(page), 1);
    this.ends += page.worker === undefined ? 0 : 1;
  }

  kill(page: Page): void {
    const { worker } = page;
    if (worker === undefined) return;
    this.ends += 1;
    page.worker = undefined;
    page.tab.ended(worker.name);
    this.carryOut(page);
  }

  /** All that can happen by itself. */
  steps(): (() => void)[] {
    const found: (() => void)[] = [];
    const [first] = this.pages;
    if (first !== undefined && !this.pages.some((one) => one.isLeader)) {
      found.push(() => {
        first.isLeader = true;
        first.tab.elected();
      });
    }
    for (const page of this.pages) {
      const { worker } = page;
      if (page.inbox.length > 0) {
        found.push(() => {
          const said = page.inbox.shift();
          if (said !== undefined) page.tab.heard(said);
        });
      }
      if (worker !== undefined && !worker.isReady) {
        found.push(() => {
          worker.isReady = true;
          page.tab.ready(worker.name, OPEN);
        });
      }
      if (worker !== undefined && worker.asks.length > 0) {
        found.push(() => {
          const ask = worker.asks.shift();
          if (ask === undefined) return;
          const key = `${ask.tab}/${String(ask.call)}`;
          this.done.set(key, (this.done.get(key) ?? 0) + 1);
          page.tab.answered(worker.name, { tab: ask.tab, call: ask.call, outcome: { ok: worker.name } });
        });
      }
    }
    return found.map((step) => () => {
      step();
      for (const page of [...this.pages]) this.carryOut(page);
    });
  }

  /** Until nothing is left to happen. */
  settle(): void {
    for (let steps = this.steps(); steps.length > 0; steps = this.steps()) steps[0]?.();
  }

  carryOut(page: Page): void {
    for (let actions = page.tab.take(); actions.length > 0; actions = page.tab.take()) {
      for (const action of actions) this.#do(page, action);
    }
  }

  #do(page: Page, action: Action): void {
    switch (action.do) {
      case "broadcast":
        for (const other of this.pages) if (other !== page) other.inbox.push(structuredClone(action.said));
        break;
      case "start":
        page.worker = { name: action.worker, asks: [], isReady: false };
        break;
      case "work":
        assert.ok(page.worker?.isReady, "a worker is asked once it is ready");
        page.worker.asks.push(action.ask);
        break;
      case "settle":
        page.outcomes.get(action.call)?.push(action.outcome);
        break;
      case "event":
        page.events.push(action.event.position);
        break;
      case "status":
        break;
    }
  }
}

function roles(browser: Browser): Role[] {
  return browser.pages.map((page) => page.tab.role);
}

test("the first tab leads, others follow, and calls of both are answered by its worker", () => {
  const browser = new Browser();
  const [first, second] = [browser.open(), browser.open()];
  const calls = [first.ask(), second.ask()];
  browser.settle();
  assert.deepEqual(roles(browser), ["leads", "follows"]);
  assert.deepEqual(
    [first, second].map((page, at) => page.outcomes.get(calls[at] ?? 0)),
    [[{ ok: "worker1" }], [{ ok: "worker1" }]],
  );
});

test("what happens is heard by every tab, once", () => {
  const browser = new Browser();
  const [first, second] = [browser.open(), browser.open()];
  browser.settle();
  first.tab.happened("worker1", { event: "taken_over", position: 7 });
  first.tab.happened("worker0", { event: "taken_over", position: 6 }); // one that is dead
  browser.carryOut(first);
  browser.settle();
  assert.deepEqual([first.events, second.events], [[7], [7]]);
});

test("a call of a leader that died is asked of the next one", () => {
  const browser = new Browser();
  const [first, second, third] = [browser.open(), browser.open(), browser.open()];
  browser.settle();
  const call = third.ask();
  browser.carryOut(third);
  browser.close(first);
  browser.settle();
  assert.deepEqual(roles(browser), ["leads", "follows"]);
  assert.deepEqual(third.outcomes.get(call), [{ ok: "worker2" }]);
  assert.equal(second.tab.role, "leads");
});

test("a call is asked of two leaders at most, and then it is told", () => {
  const browser = new Browser();
  const pages = [1, 2, 3, 4].map(() => browser.open());
  const last = pages[3];
  assert.ok(last);
  browser.settle();
  const call = last.ask();
  browser.carryOut(last);
  for (const page of pages.slice(0, 2)) {
    // It dies with the call in its hands.
    browser.close(page);
    while (!last.inbox.some((said) => said.say === "here")) browser.steps()[0]?.();
    for (const said of last.inbox.splice(0)) last.tab.heard(said);
    browser.carryOut(last);
  }
  assert.deepEqual(last.outcomes.get(call), [
    {
      error: {
        name: "LeaderGone",
        code: "leader_gone",
        message: "The tab that did this was closed: look whether it is done, then try again.",
      },
    },
  ]);
});

test("a worker that dies alone is followed by another one, and its calls are asked again", () => {
  const browser = new Browser();
  const [first, second] = [browser.open(), browser.open()];
  browser.settle();
  const calls = [first.ask(), second.ask()];
  for (const page of [first, second]) browser.carryOut(page);
  browser.kill(first);
  browser.settle();
  assert.deepEqual(roles(browser), ["leads", "follows"]);
  for (const [at, page] of [first, second].entries()) {
    assert.deepEqual(page.outcomes.get(calls[at] ?? 0), [{ ok: "worker2" }]);
  }
});

test("a leader of another version is asked nothing, and calls wait for one of the own version", () => {
  const browser = new Browser();
  const [old, young] = [browser.open("1"), browser.open("2")];
  const call = young.ask();
  browser.settle();
  assert.deepEqual(roles(browser), ["leads", "other_version"]);
  assert.deepEqual(young.outcomes.get(call), []);
  assert.equal(browser.done.size, 0);
  browser.close(old);
  browser.settle();
  assert.deepEqual(roles(browser), ["leads"]);
  assert.deepEqual(young.outcomes.get(call), [{ ok: "worker2" }]);
});

test("whoever leads is not led by the last words of who did before", () => {
  const browser = new Browser();
  const [first, second] = [browser.open(), browser.open()];
  browser.settle();
  browser.close(first);
  second.inbox.push({ say: "here", version: "1", worker: "worker1", status: OPEN });
  second.tab.elected();
  second.isLeader = true;
  browser.carryOut(second);
  const call = second.ask();
  browser.settle();
  assert.equal(second.tab.role, "leads");
  assert.deepEqual(second.outcomes.get(call), [{ ok: "worker2" }]);
});

test("tabs and workers that die at random moments leave no call unanswered", () => {
  const draw = random();
  let gone = 0;
  for (let round = 1; round <= 300; round += 1) {
    const browser = new Browser();
    browser.open();
    for (let turn = 0; turn < 120; turn += 1) {
      const steps = browser.steps();
      const page = browser.pages[Math.floor(draw() * browser.pages.length)];
      const chance = draw();
      if (page === undefined || chance < 0.06) browser.open();
      else if (chance < 0.1) browser.close(page);
      else if (chance < 0.13) browser.kill(page);
      else if (chance < 0.4) {
        page.ask();
        browser.carryOut(page);
      } else steps[Math.floor(draw() * steps.length)]?.();
    }
    browser.settle();
    for (const page of browser.pages) {
      for (const [call, outcomes] of page.outcomes) {
        const [outcome, ...more] = outcomes;
        const times = browser.done.get(`${page.name}/${String(call)}`) ?? 0;
        assert.ok(outcome !== undefined && more.length === 0, `round ${String(round)}: settled once`);
        assert.ok(times <= 2, `round ${String(round)}: done ${String(times)} times`);
        if ("ok" in outcome) assert.ok(times > 0, `round ${String(round)}: not done`);
        else gone += 1;
        if ("error" in outcome) assert.ok(browser.ends >= 2, `round ${String(round)}: nobody has died`);
      }
    }
    const leading = roles(browser).filter((role) => role === "leads");
    assert.equal(leading.length, browser.pages.length > 0 ? 1 : 0);
  }
  assert.ok(gone > 0, "it happens that two die in a row");
});
