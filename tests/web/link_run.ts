/** A connection without a network, for tests: what it is told, and what it asks for. */

import assert from "node:assert/strict";

import type { ClientFrame } from "../../messenger/web/client/src/wire/frames.ts";
import type { Action } from "../../messenger/web/client/src/net/actions.ts";
import * as rules from "../../messenger/web/client/src/net/link.ts";

export const USER = "01985c3e-8b21-7f4a-8c2d-6f1a5b2c3d4e";
export const DEVICE = "01985c3e-7a10-7b11-a4c5-0d9e8f7a6b5c";
export const TALK = "01985c41-2c43-7e88-9f01-2b3c4d5e6f70";
export const NOW = "2026-01-31T09:30:00.123Z";
export const ENDS = 900_000;

export function hello(more: object = {}): string {
  const said = {
    type: "hello",
    user_id: USER,
    device_id: DEVICE,
    server_time: NOW,
    heartbeat: 45,
    epoch: "e1",
  };
  return JSON.stringify({ ...said, ...more });
}

export function message(seq: number, content = "AAAA"): object {
  const about = { conversation_id: TALK, sender_id: USER, sender_device_id: DEVICE, client_id: DEVICE };
  const rest = { kind: "text", envelope: null, created_at: NOW, expires_at: null, deleted: false };
  return { type: "message", seq, content, ...about, ...rest };
}

/** A link, its clock, and what it wanted to be done. */
export class Run {
  now = 0;
  readonly link: rules.Link;

  constructor(draw: () => number = () => 0.5, epoch: string | null = null) {
    this.link = new rules.Link({ userId: USER, deviceId: DEVICE, draw, epoch });
  }

  /** What is to be done after something has happened. */
  after(happened: (link: rules.Link, now: number) => unknown): Action[] {
    happened(this.link, this.now);
    this.link.flush(1_000_000, this.now);
    return this.link.take();
  }

  /** The same, where time has passed to when the link wanted to be woken. */
  wake(): Action[] {
    const at = this.link.wakesAt(this.now);
    assert.ok(Number.isFinite(at) && at >= this.now, String(at));
    this.now = at;
    return this.after((link, now) => {
      link.tick(now);
    });
  }

  up(): this {
    this.after((link, now) => {
      link.start(now);
    });
    this.after((link, now) => {
      link.opened(now + ENDS, now);
    });
    this.after((link, now) => {
      link.received(hello(), now);
    });
    assert.equal(this.link.state, "up");
    return this;
  }

  receive(...frames: object[]): Action[] {
    return this.after((link, now) => {
      link.received(JSON.stringify(frames), now);
    });
  }

  closed(code: number): Action[] {
    return this.after((link, now) => {
      link.closed(code, now);
    });
  }
}

export function written(actions: readonly Action[]): ClientFrame[] {
  return actions.flatMap((one) => (one.do === "write" ? [JSON.parse(one.text) as ClientFrame].flat() : []));
}

export function names(actions: readonly Action[]): string[] {
  return actions.map((one) => (one.do === "tell" ? one.state : one.do));
}
