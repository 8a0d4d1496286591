/**
 * Files up and down, in pieces: never more than one piece is held, and what breaks off goes on where it was.
 *
 * Browsers send no streams over HTTP/1.1 and tell nothing of how far a body has come. So what is longer than a
 * piece goes up by tus 1.0.0, piece by piece, each with its SHA-256. A download is read as its reader asks for it,
 * and goes on by ranges of the same entity.
 */

import { base64, utf8 } from "../wire/bytes.ts";
import { ID, Misfit } from "../wire/codec.ts";
import { FILE, type StoredFile } from "../wire/files.ts";
import { Backoff } from "./backoff.ts";
import { pause } from "./clock.ts";
import { BadAnswer, FileChanged, Refused, Unreachable, UploadGone } from "./errors.ts";
import { type Answer, type Http, type Token, whole } from "./http.ts";

/** Bytes of one piece of an upload. */
export const PIECE = 4 * 1_048_576;
/** Tries in a row that bring nothing forward. */
export const TRIES = 6;
const TUS = { "Tus-Resumable": "1.0.0" };
const UPLOADS = "/files/uploads";

/** What goes up: it has to be able to say any part of it again. */
export interface Source {
  readonly size: number;
  read(from: number, to: number): Promise<Uint8Array>;
}

export interface Upload {
  readonly source: Source;
  /** Whose members may fetch it. */
  readonly conversationId?: string;
  /** Opaque. */
  readonly metadata?: Uint8Array;
  /** The id of an upload that was begun before. */
  readonly resume?: string;
  /** Called with the id to resume by, before any byte goes. */
  readonly begun?: (uploadId: string) => Promise<void> | void;
  /** Called with what the server has stored, where it says so at once. */
  readonly stored?: (file: StoredFile) => void;
  readonly progress?: (sent: number) => void;
  readonly signal?: AbortSignal;
}

/** A blob, or a file of a form. */
export function blobSource(blob: Blob): Source {
  return {
    size: blob.size,
    read: async (from, to) => new Uint8Array(await blob.slice(from, to).arrayBuffer()),
  };
}

export class Files {
  readonly #http: Http;
  readonly #token: Token;
  readonly #sha256: (raw: Uint8Array) => Promise<Uint8Array>;

  constructor(http: Http, token: Token, sha256 = webSha256) {
    this.#http = http;
    this.#token = token;
    this.#sha256 = sha256;
  }

  /** The id of the file. What a call throws; UploadGone where an upload to resume is no longer kept. */
  async upload(given: Upload): Promise<string> {
    if (given.source.size <= PIECE && given.resume === undefined) {
      const stored = await this.#plain(given);
      given.stored?.(stored);
      return stored.file_id;
    }
    const uploadId = given.resume ?? (await this.#begin(given));
    if (given.resume === undefined) await given.begun?.(uploadId);
    return this.#goOn(uploadId, given);
  }

  /** Give an upload up. */
  async giveUp(uploadId: string): Promise<void> {
    const path = `${UPLOADS}/${idOf(uploadId)}`;
    await this.#http.tell({ method: "DELETE", path, headers: TUS, token: this.#token });
  }

  /** What is known of a file. */
  info(fileId: string): Promise<StoredFile> {
    return this.#http.call({ path: `/files/${idOf(fileId)}/info`, token: this.#token }, FILE);
  }

  async share(fileId: string, conversationId: string): Promise<void> {
    const path = `/files/${idOf(fileId)}/conversations/${idOf(conversationId)}`;
    await this.#http.tell({ method: "PUT", path, token: this.#token });
  }

  async remove(fileId: string): Promise<void> {
    await this.#http.tell({ method: "DELETE", path: `/files/${idOf(fileId)}`, token: this.#token });
  }

  /**
   * The bytes of a file from a place on, as they are asked for. Where it breaks off it goes on, a few times in a
   * row without a byte. FileChanged, and what a call throws; BadAnswer for more than `most` bytes in all.
   */
  async *download(
    fileId: string,
    most: number,
    from = 0,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void> {
    const path = `/files/${idOf(fileId)}`;
    const backoff = new Backoff(() => this.#http.clock.draw());
    let at = from;
    let entity: Entity | undefined;
    for (let tries = 0; ;) {
      try {
        const answer = await this.#http.open({
          path,
          headers: rangeFrom(at, entity),
          token: this.#token,
          signal,
        });
        try {
          entity = entityOf(answer, at, entity);
          if (entity.size > most) throw new BadAnswer("The file is longer than it should be.");
          for await (const part of answer.parts()) {
            if (at + part.length > entity.size) throw new BadAnswer("The file is longer than was said.");
            at += part.length;
            tries = 0;
            backoff.reset();
            if (part.length > 0) yield part;
          }
        } finally {
          answer.end();
        }
        if (at === entity.size) return;
        throw new Unreachable("The download has broken off.");
      } catch (error) {
        // A range that begins at the end of the file is none.
        if (error instanceof Refused && error.status === 416 && at === entity?.size) return;
        tries += 1;
        if (!(error instanceof Unreachable) || tries >= TRIES) throw error;
        await pause(this.#http.clock, backoff.next(), signal);
      }
    }
  }

  async #plain(given: Upload): Promise<StoredFile> {
    const { source, conversationId, metadata, progress, signal } = given;
    const headers: Record<string, string> = { "Content-Type": "application/octet-stream" };
    if (conversationId !== undefined) headers["X-Conversation-ID"] = conversationId;
    if (metadata !== undefined) headers["X-File-Metadata"] = base64(metadata);
    const body = await source.read(0, source.size);
    const asking = { method: "POST", path: "/files", headers, body, token: this.#token, signal };
    const stored = await this.#http.call(asking, FILE);
    progress?.(source.size);
    return stored;
  }

  async #begin({ source, conversationId, metadata, signal }: Upload): Promise<string> {
    const said: string[] = [];
    if (conversationId !== undefined) said.push(`conversation_id ${base64(utf8(conversationId))}`);
    if (metadata !== undefined) said.push(`metadata ${base64(metadata)}`);
    const headers: Record<string, string> = { ...TUS, "Upload-Length": String(source.size) };
    if (said.length > 0) headers["Upload-Metadata"] = said.join(",");
    const answer = await this.#http.open({
      method: "POST",
      path: UPLOADS,
      headers,
      token: this.#token,
      signal,
    });
    await whole(answer);
    // The id alone is taken: whatever else stands there, no token goes to another place.
    const location = answer.headers.get("Location") ?? "";
    return headerId(location.slice(location.lastIndexOf("/") + 1), "Location");
  }

  async #goOn(uploadId: string, given: Upload): Promise<string> {
    const { source, progress, signal } = given;
    const backoff = new Backoff(() => this.#http.clock.draw());
    let known: number | undefined = given.resume === undefined ? 0 : undefined;
    let furthest = -1;
    for (let tries = 0; ;) {
      const asked = known === undefined;
      try {
        const done =
          known === undefined ? await this.#ask(uploadId, given) : await this.#send(uploadId, known, given);
        if (done.fileId !== undefined) {
          progress?.(source.size);
          return done.fileId;
        }
        known = done.offset;
        const advanced = known > furthest;
        if (advanced) {
          furthest = known;
          tries = 0;
          backoff.reset();
          progress?.(known);
        }
        if (advanced || asked) continue;
      } catch (error) {
        if (!isWorthAnother(error) || tries >= TRIES) throw error;
        known = undefined; // only the server knows how far it came
      }
      tries += 1;
      if (tries > TRIES) throw new BadAnswer("The upload does not get on.");
      await pause(this.#http.clock, backoff.next(), signal);
    }
  }

  async #ask(uploadId: string, { source, signal }: Upload): Promise<Progress> {
    try {
      const asking = { method: "HEAD", path: `${UPLOADS}/${idOf(uploadId)}`, headers: TUS };
      return await this.#progress({ ...asking, signal }, source.size);
    } catch (error) {
      if (error instanceof Refused && (error.status === 404 || error.status === 410))
        throw new UploadGone("The server does not keep this upload any longer.");
      throw error;
    }
  }

  async #send(uploadId: string, offset: number, { source, signal }: Upload): Promise<Progress> {
    const body = await source.read(offset, Math.min(source.size, offset + PIECE));
    const headers = {
      ...TUS,
      "Content-Type": "application/offset+octet-stream",
      "Upload-Offset": String(offset),
      "Upload-Checksum": `sha256 ${base64(await this.#sha256(body))}`,
    };
    const asking = { method: "PATCH", path: `${UPLOADS}/${idOf(uploadId)}`, headers, body };
    return this.#progress({ ...asking, signal }, source.size);
  }

  async #progress(asking: Parameters<Http["open"]>[0], size: number): Promise<Progress> {
    const answer = await this.#http.open({ ...asking, token: this.#token });
    await whole(answer);
    const offset = count(answer.headers.get("Upload-Offset"));
    if (offset === undefined || offset > size)
      throw new BadAnswer("The server does not say how far an upload is.");
    const fileId = answer.headers.get("X-File-ID");
    return { offset, fileId: fileId === null ? undefined : headerId(fileId, "X-File-ID") };
  }
}

interface Progress {
  readonly offset: number;
  readonly fileId: string | undefined;
}

interface Entity {
  readonly tag: string;
  readonly size: number;
}

/** Whether it may be that the next try gets on: after asking how far it came. */
function isWorthAnother(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  // Another offset than the server's (409), a piece that was damaged (460), a service that is away.
  return error instanceof Refused && (error.status === 409 || error.status === 460 || error.status >= 500);
}

function rangeFrom(at: number, entity: Entity | undefined): Record<string, string> {
  if (at === 0 && entity === undefined) return {};
  const range = { Range: `bytes=${String(at)}-` };
  return entity === undefined ? range : { ...range, "If-Range": entity.tag };
}

/** Which entity an answer is of; it has to begin where it was asked to, and be the same as before. */
function entityOf(answer: Answer, at: number, before: Entity | undefined): Entity {
  const tag = answer.headers.get("ETag") ?? "";
  const range = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/.exec(answer.headers.get("Content-Range") ?? "");
  const size = answer.status === 206 ? count(range?.[2]) : count(answer.headers.get("Content-Length"));
  const begins = answer.status === 206 ? count(range?.[1]) : 0;
  if (size === undefined || begins === undefined)
    throw new BadAnswer("The server does not say which bytes these are.");
  if (before !== undefined && (tag !== before.tag || size !== before.size))
    throw new FileChanged("The file is another one than when its download began.");
  if (begins !== at) throw new BadAnswer("The server sends another range than the one that was asked for.");
  return { tag, size };
}

function count(text: string | null | undefined): number | undefined {
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** An id for a path; Misfit. */
function idOf(text: string): string {
  return ID.read(text);
}

function headerId(text: string, name: string): string {
  try {
    return ID.read(text);
  } catch (error) {
    if (error instanceof Misfit) throw new BadAnswer(`The server's ${name} names no id.`);
    throw error;
  }
}

async function webSha256(raw: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", raw as Uint8Array<ArrayBuffer>));
}
