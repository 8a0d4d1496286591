/**
 * Small things that the server keeps with a file or a conversation: names, types, sizes, sealed.
 *
 *     sealed = version (1 byte, 1) nonce (12) AES-256-GCM-SIV of the padded JSON, with a tag of 16 bytes
 *     key    = HKDF(file key or conversation key, info), the associated data is the version byte
 *
 * The infos are `messenger-file-metadata-1` and `messenger-conversation-metadata-1`. The key of a conversation
 * travels to its members as a body `metadata_key`; it is made anew when a member goes.
 */

import { concat, utf8 } from "../wire/bytes.ts";
import { type Codec, type Of, decode, defaulted, encode, members, text, whole } from "../wire/codec.ts";
import { BIGGEST, malformedOf } from "./bodies.ts";
import { AuthenticationFailed, Malformed, PayloadTooLarge, UnsupportedVersion } from "./errors.ts";
import { padded, unpadded } from "./padding.ts";
import { type Random, TAG_BYTES, hkdf, open, seal, systemRandom } from "./primitives.ts";

const FILE_INFO = utf8("messenger-file-metadata-1");
const CONVERSATION_INFO = utf8("messenger-conversation-metadata-1");
const MAX_SEALED = 4_096;
const VERSION = Uint8Array.of(1);
const NONCE_BYTES = 12;

/** What the uploader sees of a file without the message that it was sent in. */
export const FILE_METADATA = members({ name: text(), media_type: text(), size: whole(0, BIGGEST) });

/** What a group is called. */
export const CONVERSATION_METADATA = members({ name: text(), description: defaulted(text(), "") });

export type FileMetadata = Readonly<Of<typeof FILE_METADATA>>;
export type ConversationMetadata = Readonly<Of<typeof CONVERSATION_METADATA>>;

/** The sealed metadata of the file with this key; PayloadTooLarge over 4 KiB. */
export function sealFileMetadata(
  key: Uint8Array,
  metadata: FileMetadata,
  random: Random = systemRandom,
): Uint8Array {
  return sealed(key, FILE_INFO, FILE_METADATA, metadata, random);
}

/** The metadata; AuthenticationFailed, Malformed, UnsupportedVersion. */
export function openFileMetadata(key: Uint8Array, raw: Uint8Array): FileMetadata {
  return opened(key, FILE_INFO, FILE_METADATA, raw);
}

/** The sealed metadata of a conversation with this key; PayloadTooLarge over 4 KiB. */
export function sealConversationMetadata(
  key: Uint8Array,
  metadata: ConversationMetadata,
  random: Random = systemRandom,
): Uint8Array {
  return sealed(key, CONVERSATION_INFO, CONVERSATION_METADATA, metadata, random);
}

/** The metadata; AuthenticationFailed, Malformed, UnsupportedVersion. */
export function openConversationMetadata(key: Uint8Array, raw: Uint8Array): ConversationMetadata {
  return opened(key, CONVERSATION_INFO, CONVERSATION_METADATA, raw);
}

function sealed<T>(
  key: Uint8Array,
  info: Uint8Array,
  codec: Codec<T>,
  metadata: T,
  random: Random,
): Uint8Array {
  const nonce = random(NONCE_BYTES);
  const plaintext = padded(malformedOf(() => encode(codec, metadata)));
  const made = concat(VERSION, nonce, seal(hkdf(key, info), nonce, plaintext, VERSION));
  if (made.length > MAX_SEALED) {
    throw new PayloadTooLarge(`Metadata has at most ${String(MAX_SEALED)} bytes with its padding.`);
  }
  return made;
}

function opened<T>(key: Uint8Array, info: Uint8Array, codec: Codec<T>, raw: Uint8Array): T {
  if (raw[0] !== VERSION[0]) throw new UnsupportedVersion("The metadata is of a newer client, or none.");
  if (raw.length < 1 + NONCE_BYTES + TAG_BYTES) throw new Malformed("The metadata is cut short.");
  const [nonce, rest] = [raw.subarray(1, 1 + NONCE_BYTES), raw.subarray(1 + NONCE_BYTES)];
  const plaintext = open(hkdf(key, info), nonce, rest, VERSION);
  if (plaintext === undefined) {
    throw new AuthenticationFailed("The metadata was changed, or is under another key.");
  }
  return malformedOf(() => decode(codec, unpadded(plaintext)));
}
