/**
 * Files: encrypted in chunks, so that order, truncation and tampering show, in constant memory.
 *
 * The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar, Online Authenticated-Encryption and its
 * Nonce-Reuse Misuse-Resistance, 2015) with AES-256-GCM-SIV:
 *
 *     blob   = head chunk chunk ... last_chunk
 *     head   = version (1 byte, 1) zero (1 byte)
 *     key    = HKDF(file key, info="messenger-file-1" head)
 *     chunk  = AES-256-GCM-SIV of 65,536 bytes (the last one: 0 to 65,536), with a tag of 16 bytes
 *     nonce  = 7 zero bytes, number of the chunk (4 bytes, big-endian, from 0), 1 for the last chunk, else 0
 *
 * What is encrypted is the file and then zeros up to a padded size (`padding.ts`), so that the blob's size
 * says little. Each file has a fresh key; should an upload be begun again with the same key and a file that
 * was changed meanwhile, GCM-SIV shows which chunks are equal and nothing else.
 *
 * The reference (`FileReference`: file_id, key, the blob's SHA-256, size, name, type) travels inside a message.
 */

import { concat, uint32, utf8 } from "../wire/bytes.ts";
import type { FileReference } from "./bodies.ts";
import { FileMismatch, FileTampered, FileTruncated, UnsupportedVersion } from "./errors.ts";
import { paddedFileSize } from "./padding.ts";
import { type Random, Sha256, TAG_BYTES, hkdf, open, same, seal, systemRandom } from "./primitives.ts";

const CHUNK = 65_536;
const STORED_CHUNK = CHUNK + TAG_BYTES;
const HEAD = Uint8Array.of(1, 0);
const KEY_INFO = concat(utf8("messenger-file-1"), HEAD);
const SEVEN_ZEROS = new Uint8Array(7);

/** The size in bytes of the blob of a file of `size` bytes. */
export function storedSize(size: number): number {
  const whole = paddedFileSize(size);
  return HEAD.length + whole + TAG_BYTES * Math.max(1, Math.ceil(whole / CHUNK));
}

function nonceOf(number: number, last: boolean): Uint8Array {
  return concat(SEVEN_ZEROS, uint32(number), Uint8Array.of(last ? 1 : 0));
}

/** Encrypts one file, once. Feed all of it to `update`, then send what `finish` yields. */
export class FileEncryptor {
  readonly key: Uint8Array;
  readonly #chunkKey: Uint8Array;
  readonly #digest = new Sha256();
  #waiting = new Uint8Array();
  #number = 0;
  #size = 0;
  #begun = false;

  constructor(key?: Uint8Array, random: Random = systemRandom) {
    this.key = key ?? random(32);
    this.#chunkKey = hkdf(this.key, KEY_INFO);
  }

  /** Take the next part of the file, of any size; the part of the blob that is ready, maybe empty. */
  update(data: Uint8Array): Uint8Array {
    this.#size += data.length;
    return this.#feed(data);
  }

  /** The rest of the blob, in pieces: padding, and the chunk that ends it. */
  *finish(): Generator<Uint8Array, void> {
    for (let left = paddedFileSize(this.#size) - this.#size; left > 0; left -= CHUNK) {
      const ready = this.#feed(new Uint8Array(Math.min(left, CHUNK)));
      if (ready.length > 0) yield ready;
    }
    yield this.#out(this.#chunk(this.#waiting, true));
  }

  /** The reference, once `finish` has yielded everything and the server has given the blob an id. */
  reference(fileId: string, name: string, mediaType: string): FileReference {
    return {
      file_id: fileId,
      key: this.key,
      sha256: this.sha256,
      size: this.#size,
      name,
      media_type: mediaType,
    };
  }

  /** The SHA-256 of the blob so far. */
  get sha256(): Uint8Array {
    return this.#digest.digest();
  }

  #feed(data: Uint8Array): Uint8Array {
    const all = concat(this.#waiting, data);
    const ready: Uint8Array[] = [];
    let at = 0;
    // A full chunk waits until more comes: it may be the last.
    for (; all.length - at > CHUNK; at += CHUNK) ready.push(this.#chunk(all.subarray(at, at + CHUNK), false));
    this.#waiting = all.slice(at);
    return this.#out(concat(...ready));
  }

  #chunk(plaintext: Uint8Array, last: boolean): Uint8Array {
    const sealed = seal(this.#chunkKey, nonceOf(this.#number, last), plaintext);
    this.#number += 1;
    return sealed;
  }

  #out(part: Uint8Array): Uint8Array {
    if (part.length === 0) return part;
    const out = this.#begun ? part : concat(HEAD, part);
    this.#begun = true;
    this.#digest.update(out);
    return out;
  }
}

/**
 * Decrypts the blob of a reference. What `update` gives is the sender's; that it is all of the file is known when
 * `finish` has returned, so a file gets its place only then.
 */
export class FileDecryptor {
  readonly #reference: Pick<FileReference, "key" | "sha256" | "size">;
  readonly #chunkKey: Uint8Array;
  readonly #stored: number;
  readonly #digest = new Sha256();
  #waiting = new Uint8Array();
  #number = 0;
  #headed = false;
  #taken = 0; // bytes of the blob
  #given = 0; // bytes of the file

  constructor(reference: Pick<FileReference, "key" | "sha256" | "size">) {
    this.#reference = reference;
    this.#chunkKey = hkdf(reference.key, KEY_INFO);
    this.#stored = storedSize(reference.size);
  }

  /**
   * Take the next part of the blob, of any size; the part of the file that it brings, maybe empty.
   *
   * Throws FileTampered, FileMismatch, UnsupportedVersion.
   */
  update(blob: Uint8Array): Uint8Array {
    this.#taken += blob.length;
    if (this.#taken > this.#stored)
      throw new FileMismatch("The stored file is longer than its reference says.");
    this.#digest.update(blob);
    const all = concat(this.#waiting, blob);
    let at = 0;
    if (!this.#headed && all.length >= HEAD.length) {
      if (!same(all.subarray(0, HEAD.length), HEAD)) {
        throw new UnsupportedVersion("The file was encrypted by a newer client, or was changed.");
      }
      this.#headed = true;
      at = HEAD.length;
    }
    const parts: Uint8Array[] = [];
    for (; all.length - at > STORED_CHUNK; at += STORED_CHUNK) {
      parts.push(this.#open(all.subarray(at, at + STORED_CHUNK), false));
    }
    this.#waiting = all.slice(at);
    return concat(...parts);
  }

  /**
   * The end of the file, once all of the blob was fed and everything fits the reference.
   *
   * Throws FileTruncated, FileTampered, FileMismatch.
   */
  finish(): Uint8Array {
    if (this.#taken < this.#stored) {
      throw new FileTruncated(`The file ends after ${String(this.#taken)} of ${String(this.#stored)} bytes.`);
    }
    const rest = this.#open(this.#waiting, true);
    if (!same(this.#digest.digest(), this.#reference.sha256)) {
      throw new FileMismatch("The stored file has another hash than its reference says.");
    }
    return rest;
  }

  #open(chunk: Uint8Array, last: boolean): Uint8Array {
    const plaintext = open(this.#chunkKey, nonceOf(this.#number, last), chunk);
    if (plaintext === undefined) throw new FileTampered(this.#number);
    this.#number += 1;
    const size = Math.min(plaintext.length, this.#reference.size - this.#given);
    this.#given += size;
    if (plaintext.subarray(size).some((byte) => byte !== 0)) {
      throw new FileMismatch("The file is longer than its reference says.");
    }
    return plaintext.subarray(0, size);
  }
}
