/** The engine, as screens see it: how it is, what it is asked, and what happens. */

import { signal } from "@preact/signals";

import type { Event } from "../../engine/events.ts";
import type { Client } from "../../worker/client.ts";
import { type Calls, type Method, OPENING, type Status } from "../../worker/protocol.ts";
import type { Role } from "../../worker/tabs.ts";

export const status = signal<Status>(OPENING);
export const role = signal<Role>("alone");
/** Has all tabs load a newer version that is here; null while there is none. */
export const update = signal<(() => void) | null>(null);

const listeners = new Set<(event: Event) => void>();
let client: Client | undefined;

/** The screens speak to this one from now on. */
export function attach(made: Client): void {
  client = made;
  status.value = made.status;
  role.value = made.role;
  made.onStatus = (now, as) => {
    status.value = now;
    role.value = as;
  };
  made.listen((event) => {
    for (const listener of [...listeners]) listener(event);
  });
}

/** What the engine answers. CallFailed (worker/protocol.ts); `words/errors.ts` says it in words. */
export function call<M extends Method>(method: M, asked: Calls[M]["asked"]): Promise<Calls[M]["answer"]> {
  if (client === undefined) return Promise.reject(new Error("Nobody is attached."));
  return client.call(method, asked);
}

/** Hear what happens, possibly twice (worker/client.ts), until what this gives is called. */
export function listen(listener: (event: Event) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Connect now. What comes of it is shown by the status. */
export function nudge(): void {
  call("connect", null).catch(() => undefined);
}
