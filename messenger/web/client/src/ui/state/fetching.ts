/** Fetching a message's file for the page: how far it is, and giving it up. */

import { type Signal, signal } from "@preact/signals";

import { plainName } from "../rules/files.ts";
import { call, listen } from "./engine.ts";

/** A file on its way here. */
export interface Fetching {
  readonly blob: Promise<Blob>;
  /** From 0 to 1. */
  readonly done: Signal<number>;
  readonly stop: () => void;
}

/** `most`: the bytes that it may have. */
export function fetchFile(id: number, most?: number): Fetching {
  const transfer = crypto.randomUUID();
  const done = signal(0);
  const deaf = listen((event) => {
    if (event.event !== "transfer_progressed" || event.transfer !== transfer) return;
    done.value = event.all === 0 ? 1 : event.done / event.all;
  });
  const asked = { transfer, id, ...(most === undefined ? {} : { most }) };
  return {
    blob: call("fetchFile", asked).finally(deaf),
    done,
    stop: () => {
      call("cancel", { transfer }).catch(() => undefined);
    },
  };
}

/** Hand it to the browser, to be put where downloads go. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = plainName(name);
  link.click();
  // The browser has taken it by then.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 60_000);
}
