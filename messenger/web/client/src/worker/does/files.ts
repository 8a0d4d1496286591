/** Files. */

import type { Engine } from "../../engine/core.ts";
import { ClientError, FileTooLarge, UnknownMessage } from "../../engine/errors.ts";
import { fetchFile, sendFile } from "../../engine/files.ts";
import { HEAD, pictureOf } from "../../engine/pictures.ts";
import { type Source, blobSource } from "../../net/files.ts";
import type { Message } from "../../store/messages.ts";
import { type Codec, ID, members, misfit, optional, text } from "../../wire/codec.ts";
import type { FileCalls } from "../calls/files.ts";
import type { Transfers } from "../transfers.ts";
import { type Does, NUMBER, TEXT } from "./doing.ts";
import { changed, found } from "./messages.ts";

/** Bytes of a file that this client takes or brings. */
const MOST_BYTES = 2 ** 31;
/** Bytes that are held before the browser may put them on its disk. */
const HELD = 8 * 1_048_576;
const STEPS = 100; // that are told of how far a file has come
const OPENED_BY_NOBODY = "application/octet-stream";

/** A file of the browser's, which is handed over and never written. */
const FILE: Codec<Blob> = {
  read: (value) => (value instanceof Blob ? value : misfit("a file")),
  write: () => misfit("no file"),
};

/** The file was changed or taken away since it was chosen. */
class FileUnreadable extends ClientError {
  override name = "FileUnreadable";

  constructor() {
    super("The file can't be read any more: choose it again.", "file_unreadable");
  }
}

/** A file as it was chosen, or FileUnreadable. */
function sourceOf(file: Blob): Source {
  const source = blobSource(file);
  return {
    size: source.size,
    read: (from, to) =>
      source.read(from, to).catch((error: unknown) => {
        throw error instanceof DOMException ? new FileUnreadable() : error;
      }),
  };
}

/** What the sender's browser calls it, if that is a type. */
function mediaType(said: string): string {
  return /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(said) ? said : OPENED_BY_NOBODY;
}

/** Tells how far a file has come, not more often than a person sees. */
function progress(engine: Engine, transfer: string): (done: number, all: number) => void {
  let told = -1;
  return (done, all) => {
    const step = all === 0 ? STEPS : Math.floor((done / all) * STEPS);
    if (step === told) return;
    told = step;
    engine.feed.tell({ event: "transfer_progressed", transfer, done, all });
  };
}

/** The own message under this name, where it was written down before. */
function written(engine: Engine, conversation_id: string, client_id: string): Promise<Message | undefined> {
  return engine.vault.run(async (store) =>
    store.messages.find({ conversation_id, client_id, sender_device_id: await store.deviceId() }),
  );
}

/** What comes, a piece at a time, in the browser's keeping. */
async function gathered(parts: AsyncIterable<Uint8Array>, came: (bytes: number) => void): Promise<Blob> {
  let head = new Uint8Array();
  let [pieces, held, size, all] = [[] as Blob[], [] as Uint8Array<ArrayBuffer>[], 0, 0];
  for await (const part of parts) {
    const piece = part.slice();
    if (head.length < HEAD) head = await headOf(head, piece);
    held.push(piece);
    [size, all] = [size + piece.length, all + piece.length];
    if (size >= HELD) [pieces, held, size] = [[...pieces, new Blob(held)], [], 0];
    came(all);
  }
  return new Blob([...pieces, ...held], { type: pictureOf(head)?.type ?? OPENED_BY_NOBODY });
}

async function headOf(...parts: readonly Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob([...parts]).slice(0, HEAD).arrayBuffer());
}

/** What the worker does about files, with these transfers. */
export function files(transfers: Transfers): Does<FileCalls> {
  return {
    sendFile: {
      form: members({
        ...{ transfer: ID, conversationId: ID, clientId: ID },
        ...{ file: FILE, name: text(1_024, 1), text: TEXT },
      }),
      work: async (engine, { transfer, conversationId, clientId, file, name, text: said }) => {
        const there = await written(engine, conversationId, clientId);
        if (there !== undefined) return there;
        if (file.size > MOST_BYTES) throw new FileTooLarge();
        return transfers.run(transfer, async (signal) => {
          const source = sourceOf(file);
          const picture = pictureOf(await source.read(0, Math.min(HEAD, source.size)));
          const message = await sendFile(engine, conversationId, {
            ...{ source, name, text: said, clientId, signal },
            mediaType: picture?.type ?? mediaType(file.type),
            progress: progress(engine, transfer),
            ...(picture === undefined ? {} : { width: picture.width, height: picture.height }),
          });
          changed(engine, message);
          return message;
        });
      },
    },
    fetchFile: {
      form: members({ transfer: ID, id: NUMBER, most: optional(NUMBER) }),
      work: async (engine, { transfer, id, most = MOST_BYTES }) => {
        const [message] = await found(engine, id);
        const { file } = message;
        if (file === null) throw new UnknownMessage();
        if (file.size > Math.min(most, MOST_BYTES)) throw new FileTooLarge();
        return transfers.run(transfer, (signal) => {
          const told = progress(engine, transfer);
          return gathered(fetchFile(engine, { ...message, file }, signal), (bytes) => {
            told(bytes, file.size);
          });
        });
      },
    },
    cancel: {
      form: members({ transfer: ID }),
      work: (_, { transfer }) => {
        transfers.cancel(transfer);
        return Promise.resolve(null);
      },
    },
  };
}
