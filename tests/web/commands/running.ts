/** The devices that are at work, and what they are told. */

import { createHash } from "node:crypto";
import process from "node:process";

import { type Derived, type Kdf, derive } from "../../../messenger/web/client/src/e2e/password.ts";
import type * as client from "../../../messenger/web/client/src/engine/index.ts";
import { type Clock, SYSTEM_CLOCK } from "../../../messenger/web/client/src/net/clock.ts";

const QUICK = process.env["MESSENGER_QUICK"] !== undefined;

export type Said = Readonly<Record<string, unknown>>;
export const engines = new Map<string, client.Engine>();

/** What is going on: requests, work in stores, and how much there was of both. */
export const going = { busy: 0, moved: 0 };

export async function counted<T>(work: () => Promise<T>): Promise<T> {
  going.busy += 1;
  going.moved += 1;
  try {
    return await work();
  } finally {
    going.busy -= 1;
    going.moved += 1;
  }
}

function quickly(password: string, kdf: Kdf): Derived {
  const half = (label: string): Buffer =>
    createHash("sha256").update(label).update(kdf.salt).update(password).digest();
  return { login: half("login").toString("base64"), wrap: half("wrap") };
}

/** How far the devices' clocks are set from what they are, in milliseconds. */
export const time = { ahead: 0 };

const clock: Clock = {
  ...SYSTEM_CLOCK,
  now: () => SYSTEM_CLOCK.now() + time.ahead,
  ...(QUICK ? { draw: () => 0.01 * Math.random() } : {}),
};

export function place(said: Said) {
  return {
    profile: text(said, "profile"),
    server: text(said, "server"),
    http: {
      clock,
      ...(QUICK ? { patience: 0 } : {}),
      fetch: (url: string | URL | Request, init?: RequestInit) => counted(() => globalThis.fetch(url, init)),
    },
    derive: QUICK ? quickly : derive,
    ...(said["policy"] === "refuse" ? { policy: "refuse" as const } : {}),
  };
}

export function text(said: Said, name: string): string {
  const value = said[name];
  if (typeof value !== "string") throw new TypeError(`A command wants ${name}.`);
  return value;
}

export function engineOf(said: Said): client.Engine {
  const found = engines.get(text(said, "profile"));
  if (found === undefined) throw new TypeError(`There is no ${text(said, "profile")}.`);
  return found;
}

/** Watch what an engine does, and have it connect. */
export function begun(said: Said, engine: client.Engine): unknown {
  const honest = engine.vault.run.bind(engine.vault);
  engine.vault.run = (work) => counted(() => honest(work));
  engines.set(text(said, "profile"), engine);
  engine.start();
  return engine.facts;
}

export type Commands = Readonly<Record<string, (said: Said) => unknown>>;
