/** Files: encrypted while they go up, decrypted while they come, chunk by chunk. */

import type { FileReference } from "../e2e/bodies.ts";
import { FileError, Malformed } from "../e2e/errors.ts";
import { FileDecryptor, FileEncryptor, storedSize } from "../e2e/files.ts";
import { sealFileMetadata } from "../e2e/metadata.ts";
import { same } from "../e2e/primitives.ts";
import { Files as Transfers, type Source } from "../net/files.ts";
import type { Message } from "../store/messages.ts";
import type { StoredFile } from "../wire/files.ts";
import { Authoring, checkLength } from "./authoring.ts";
import type { Engine } from "./core.ts";
import { FileDamaged } from "./errors.ts";
import { reasonOf } from "./naming.ts";
import { tell } from "./telling.ts";

const READ = 1_048_576; // bytes that are read of a file at a time

export interface FileToSend {
  readonly source: Source;
  readonly name: string;
  readonly mediaType: string;
  readonly text?: string;
  /** Of a picture, in pixels: so that who reads has room for it before it is there. */
  readonly width?: number;
  readonly height?: number;
  /** As for `Authoring.enqueue`. */
  readonly clientId?: string;
  /** Called with bytes of the stored blob, done and in all. */
  readonly progress?: (done: number, all: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * A file as its ciphertext, which can say any part of itself again: by encrypting from the beginning anew where that
 * lies before, under the same key, so that the bytes are the same. A piece is held at a time.
 */
class Sealed implements Source {
  readonly size: number;
  readonly key: Uint8Array;
  readonly #plain: Source;
  #encryptor: FileEncryptor;
  #parts: AsyncGenerator<Uint8Array, void>;
  #held = new Uint8Array();
  #at = 0; // where what is held begins

  constructor(plain: Source) {
    this.#plain = plain;
    this.size = storedSize(plain.size);
    this.#encryptor = new FileEncryptor();
    this.key = this.#encryptor.key;
    this.#parts = this.#encrypted(this.#encryptor);
  }

  async read(from: number, to: number): Promise<Uint8Array> {
    if (from < this.#at) {
      this.#encryptor = new FileEncryptor(this.key);
      this.#parts = this.#encrypted(this.#encryptor);
      this.#held = new Uint8Array();
      this.#at = 0;
    }
    while (this.#at + this.#held.length < to) {
      const { done, value } = await this.#parts.next();
      if (done === true) break;
      const skipped = Math.min(this.#held.length, Math.max(0, from - this.#at));
      const held = new Uint8Array(this.#held.length - skipped + value.length);
      held.set(this.#held.subarray(skipped));
      held.set(value, this.#held.length - skipped);
      this.#at += skipped;
      this.#held = held;
    }
    return this.#held.slice(from - this.#at, to - this.#at);
  }

  /** Once all was read. */
  async reference(fileId: string, name: string, mediaType: string): Promise<FileReference> {
    for await (const _ of this.#parts); // what nobody has read of it is hashed all the same
    return this.#encryptor.reference(fileId, name, mediaType);
  }

  async *#encrypted(encryptor: FileEncryptor): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < this.#plain.size; at += READ) {
      const plain = await this.#plain.read(at, Math.min(this.#plain.size, at + READ));
      yield encryptor.update(plain);
    }
    yield* encryptor.finish();
  }
}

function transfersOf(engine: Engine): Transfers {
  return new Transfers(engine.http, engine.tokens);
}

/**
 * Encrypt and upload a file, then write the message down that holds its key. FileDamaged, and what `enqueue` throws.
 */
export async function sendFile(engine: Engine, conversationId: string, file: FileToSend): Promise<Message> {
  const authoring = new Authoring(engine, conversationId);
  await authoring.checkOpen();
  const { name, mediaType, text = "", width, height, clientId, progress, signal } = file;
  checkLength(text);
  const sealed = new Sealed(file.source);
  const metadata = sealFileMetadata(sealed.key, { name, media_type: mediaType, size: file.source.size });
  const transfers = transfersOf(engine);
  let stored: StoredFile | undefined;
  const fileId = await transfers.upload({
    source: sealed,
    conversationId,
    metadata,
    ...(signal === undefined ? {} : { signal }),
    progress: (sent) => progress?.(sent, sealed.size),
    stored: (said) => {
      stored = said;
    },
  });
  const reference = await sealed.reference(fileId, name, mediaType);
  stored ??= await transfers.info(fileId);
  if (!same(stored.sha256, reference.sha256)) {
    throw new FileDamaged("The server has stored another file than it was sent.");
  }
  signal?.throwIfAborted();
  const sides = width === undefined || height === undefined ? {} : { width, height };
  return authoring.put({ type: "file", file: reference, text, ...sides }, clientId);
}

/**
 * The parts of a file as they come. They are the sender's; that they are all of it is known once this has ended.
 *
 * FileDamaged, told by an event, too.
 */
export async function* fetchFile(
  engine: Engine,
  message: Message & { readonly file: FileReference },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const reference = message.file;
  const decryptor = new FileDecryptor(reference);
  try {
    const parts = transfersOf(engine).download(reference.file_id, storedSize(reference.size) + 1, 0, signal);
    for await (const part of parts) {
      const plain = decryptor.update(part);
      if (plain.length > 0) yield plain;
    }
    const rest = decryptor.finish();
    if (rest.length > 0) yield rest;
  } catch (error) {
    if (!(error instanceof FileError || error instanceof Malformed)) throw error;
    const { conversation_id, sender_id, seq } = message;
    const [reason, detail] = [reasonOf(error), error.message];
    await engine.vault.run(async (store) =>
      tell(store, {
        event: "file_rejected",
        ...{ conversation_id, user_id: sender_id, device_id: null, seq, reason, detail },
        username: await store.people.name(sender_id),
        file_id: reference.file_id,
      }),
    );
    throw new FileDamaged(detail);
  }
}
