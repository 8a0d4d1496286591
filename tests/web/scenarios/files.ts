/** Files, and what is kept with them. */

import {
  FileDecryptor,
  FileEncryptor,
  openConversationMetadata,
  openFileMetadata,
  sealConversationMetadata,
  sealFileMetadata,
} from "../../../messenger/web/client/src/e2e/index.ts";
import { CONVERSATION_METADATA, FILE_METADATA } from "../../../messenger/web/client/src/e2e/metadata.ts";
import { paddedFileSize } from "../../../messenger/web/client/src/e2e/padding.ts";
import { sha256 } from "../../../messenger/web/client/src/e2e/primitives.ts";
import { concat, hex, utf8 } from "../../../messenger/web/client/src/wire/bytes.ts";
import { decode } from "../../../messenger/web/client/src/wire/codec.ts";
import { overwrite, raw } from "./running.ts";
import { type Devices } from "./sessions.ts";

type Damage =
  | readonly ["xor", readonly [number, string]]
  | readonly ["take", number]
  | readonly ["then", string]
  | readonly ["pick", readonly number[]];

const STORED_CHUNK = 65_552;

/** The file of a size in all scenarios: each byte is its place modulo 251. */
export function fileOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => index % 251);
}

export function inParts(blob: Uint8Array, part: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < blob.length; at += part) parts.push(blob.subarray(at, at + part));
  return parts;
}

function damaged(blob: Uint8Array, damage: Damage): Uint8Array {
  switch (damage[0]) {
    case "xor": {
      const changed = blob.slice();
      overwrite(changed, damage[1], (was, byte) => was ^ byte);
      return changed.slice(0, blob.length);
    }
    case "take":
      return blob.slice(0, damage[1]);
    case "then":
      return concat(blob, raw(damage[1]));
    case "pick": {
      const chunks = inParts(blob.subarray(2), STORED_CHUNK);
      const picked = damage[1].map((number) => chunks[number] ?? new Uint8Array());
      return concat(blob.subarray(0, 2), ...picked);
    }
  }
}

export function fileVerbs(devices: Devices) {
  return {
    file_size: (given: { size: number }) => ({
      padded: paddedFileSize(given.size),
    }),

    encrypt_file: (given: { size: number; part: number }) => {
      const encryptor = new FileEncryptor(undefined, devices.draw);
      const parts = inParts(fileOf(given.size), given.part).map((one) => encryptor.update(one));
      const blob = concat(...parts, ...encryptor.finish());
      return {
        key: hex(encryptor.key),
        sha256: hex(encryptor.sha256),
        stored_size: blob.length,
        begins: hex(blob.subarray(0, 64)),
        ends: hex(blob.subarray(-64)),
      };
    },

    decrypt_file: (given: {
      key: string;
      size: number;
      damage: Damage[];
      said_size: number;
      sha256: string | null;
      part: number;
    }) => {
      const key = raw(given.key);
      const encryptor = new FileEncryptor(key);
      const whole = concat(encryptor.update(fileOf(given.size)), ...encryptor.finish());
      const blob = given.damage.reduce(damaged, whole);
      const hash = given.sha256 === null ? sha256(blob) : raw(given.sha256);
      const decryptor = new FileDecryptor({
        key,
        sha256: hash,
        size: given.said_size,
      });
      const parts = inParts(blob, given.part).map((one) => decryptor.update(one));
      const found = concat(...parts, decryptor.finish());
      return { size: found.length, sha256: hex(sha256(found)) };
    },

    seal_metadata: (given: { of: "file" | "conversation"; key: string; metadata: string }) => {
      const [key, json] = [raw(given.key), utf8(given.metadata)];
      const sealed =
        given.of === "file"
          ? sealFileMetadata(key, decode(FILE_METADATA, json), devices.draw)
          : sealConversationMetadata(key, decode(CONVERSATION_METADATA, json), devices.draw);
      return { sealed: hex(sealed) };
    },

    open_metadata: (given: { of: "file" | "conversation"; key: string; sealed: string }) => {
      const [key, sealed] = [raw(given.key), raw(given.sealed)];
      if (given.of === "file") return { metadata: openFileMetadata(key, sealed) };
      const { name, description } = openConversationMetadata(key, sealed);
      return {
        metadata: {
          name,
          description: description === "" ? undefined : description,
        },
      };
    },
  };
}
