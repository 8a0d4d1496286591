/** Files that are being sent from this page, in their order; each can be given up, or tried again. */

import { signal } from "@preact/signals";

import { type Reason, reasonOf } from "../rules/reasons.ts";
import { call, listen } from "./engine.ts";
import { refresh } from "./talks.ts";

export interface Upload {
  /** The name of the transfer, and of the message that comes of it. */
  readonly id: string;
  readonly conversation: string;
  readonly name: string;
  readonly file: Blob;
  /** From 0 to 1. */
  readonly done: number;
  /** Why it was not sent; null while it is on its way. */
  readonly problem: Reason | null;
}

const MOST = 50; // at a time
const all = signal<readonly Upload[]>([]);
/** Of each upload, the transfer that it goes by now. */
const transfers = new Map<string, string>();

export function uploadsOf(conversation: string): readonly Upload[] {
  return all.value.filter((one) => one.conversation === conversation);
}

function change(id: string, values: Partial<Upload>): void {
  all.value = all.value.map((one) => (one.id === id ? { ...one, ...values } : one));
}

function drop(id: string): void {
  all.value = all.value.filter((one) => one.id !== id);
}

/** Send these files, one after the other. */
export function sendFiles(conversation: string, files: readonly File[]): void {
  const room = Math.max(0, MOST - all.value.length);
  const fresh = files.slice(0, room).map((file) => ({
    ...{ id: crypto.randomUUID(), conversation, name: file.name, file, done: 0 },
    problem: null,
  }));
  all.value = [...all.value, ...fresh];
  for (const one of fresh) void send(one);
}

/** Try one again. */
export function sendAgain(upload: Upload): void {
  change(upload.id, { problem: null, done: 0 });
  void send(upload);
}

/** Don't send one. */
export function forgetUpload({ id, problem }: Upload): void {
  drop(id);
  const transfer = transfers.get(id);
  if (problem === null && transfer !== undefined) call("cancel", { transfer }).catch(() => undefined);
}

async function send({ id, conversation, file, name }: Upload): Promise<void> {
  const transfer = crypto.randomUUID();
  transfers.set(id, transfer);
  const deaf = listen((event) => {
    if (event.event !== "transfer_progressed" || event.transfer !== transfer) return;
    change(id, { done: event.all === 0 ? 1 : event.done / event.all });
  });
  try {
    const said = { name: name === "" ? "file" : name, text: "" };
    await call("sendFile", { transfer, conversationId: conversation, clientId: id, file, ...said });
    drop(id);
    refresh();
  } catch (error) {
    const reason = reasonOf(error);
    // The server says the same of a text and of a file.
    change(id, { problem: reason === "too_long" ? "file_too_large" : reason });
  } finally {
    deaf();
    transfers.delete(id);
  }
}
