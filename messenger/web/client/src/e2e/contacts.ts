/**
 * Contact links: whoever opens one has the contact's true account key, without asking the server.
 *
 *     fingerprint = SHA-256("messenger-contact-1" 0x00 user_id account_key), first 20 bytes
 *     link        = SERVER "/#contact=" base64url(0x01 user_id fingerprint username)
 *
 * All that matters stands in the fragment, which no browser sends to a server.
 */

import { base64url, base64urlBytes, concat, utf8, utf8Text } from "../wire/bytes.ts";
import { idText } from "./account.ts";
import { BadContactCode } from "./errors.ts";
import { idBytes, label, same, sha256 } from "./primitives.ts";

const LABEL = label("messenger-contact-1");
const FINGERPRINT_BYTES = 20;
const FRAGMENT = "/#contact=";
const VERSION = 1;
const HEAD = 1 + 16 + FINGERPRINT_BYTES;
const USERNAME = /^[a-z][a-z0-9._-]{2,31}$/;

/** What a contact link says. */
export interface ContactCode {
  readonly server: string;
  readonly username: string;
  readonly userId: string;
  readonly fingerprint: Uint8Array;
}

/** Whether this is the user and the account key that a link means. */
export function fitsContact(code: ContactCode, userId: string, accountKey: Uint8Array): boolean {
  return userId === code.userId && same(fingerprintOf(userId, accountKey), code.fingerprint);
}

/** The link to a user; `server` is its address (https://HOST[:PORT]). */
export function contactLink(
  server: string,
  username: string,
  userId: string,
  accountKey: Uint8Array,
): string {
  const raw = concat(
    Uint8Array.of(VERSION),
    idBytes(userId),
    fingerprintOf(userId, accountKey),
    utf8(username),
  );
  return server.replace(/\/+$/, "") + FRAGMENT + base64url(raw);
}

/** What a link says. BadContactCode where it is none, or one of a newer client. */
export function readContactLink(text: string): ContactCode {
  const link = text.trim();
  const at = link.indexOf(FRAGMENT);
  if (at <= 0) throw new BadContactCode("A contact link looks like https://SERVER/#contact=LETTERS.");
  const raw = base64urlBytes(link.slice(at + FRAGMENT.length));
  if (raw === undefined) throw damaged();
  if (raw[0] !== VERSION) throw new BadContactCode("The contact link is of a newer client, or damaged.");
  const username = utf8Text(raw.subarray(HEAD)) ?? "";
  if (!USERNAME.test(username)) throw damaged();
  return {
    server: link.slice(0, at),
    username,
    userId: idText(raw.subarray(1, 17)),
    fingerprint: raw.subarray(17, HEAD),
  };
}

function damaged(): BadContactCode {
  return new BadContactCode("The contact link is damaged: was all of it copied?");
}

/** The 160 bits that stand for a user's account key in a link. */
function fingerprintOf(userId: string, accountKey: Uint8Array): Uint8Array {
  return sha256(LABEL, idBytes(userId), accountKey).subarray(0, FINGERPRINT_BYTES);
}
