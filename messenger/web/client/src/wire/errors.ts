/**
 * Every error that an answer or a frame can name (RFC 9457).
 *
 * Whoever is told no has to learn of it even where the rest of what was said does not fit: so a problem is read
 * leniently, and what does not fit is left out.
 */

import { COUNT, bytes } from "./basics.ts";
import { type Codec, ID, Misfit, list, text } from "./codec.ts";

/** The stable words of the wire contract, and the HTTP status that goes with each. */
export const CODES = {
  bad_request: 400,
  unauthorized: 401,
  token_expired: 401,
  refresh_reused: 401,
  second_factor_required: 401,
  forbidden: 403,
  blocked: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  username_taken: 409,
  identity_key_immutable: 409,
  devices_changed: 409,
  device_limit: 409,
  gone: 410,
  precondition_failed: 412,
  too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  unprocessable: 422,
  rate_limited: 429,
  checksum_mismatch: 460,
  internal: 500,
  bad_gateway: 502,
  unavailable: 503,
  gateway_timeout: 504,
} as const;

export type Code = keyof typeof CODES;

/** Whether a word is one of the contract. */
export function isCode(word: string): word is Code {
  return Object.hasOwn(CODES, word);
}

/** A no with a name. `code` is one of the contract's words, or one that this client does not know. */
export interface Problem {
  readonly code: string;
  /** A sentence for people; it may be empty. */
  readonly detail: string;
  readonly requestId?: string;
  /** Of `second_factor_required`. */
  readonly challenge?: string;
  /** Of a wrong code. */
  readonly triesLeft?: number;
  /** Why a session has ended: `removed`. */
  readonly reason?: string;
  /** Of `devices_changed`. */
  readonly missing?: readonly string[];
  readonly extra?: readonly string[];
  readonly digest?: Uint8Array;
  /** Of a write that came too late: the version that stands. */
  readonly version?: number;
  /** Of a bound: the setting's name, and how many it allows. */
  readonly limit?: string;
  readonly most?: number;
  /** Who can't be added to a group. */
  readonly users?: readonly string[];
  /** In seconds; in frames. */
  readonly retryAfter?: number;
}

const IDS = list(ID, 100_000);
const WORDS = text(4_096);
const MEMBERS: readonly (readonly [of: keyof Problem, name: string, codec: Codec<unknown>])[] = [
  ["requestId", "request_id", text(64)],
  ["challenge", "challenge", WORDS],
  ["triesLeft", "tries_left", COUNT],
  ["reason", "reason", WORDS],
  ["missing", "missing", IDS],
  ["extra", "extra", IDS],
  ["digest", "digest", bytes(32)],
  ["version", "version", COUNT],
  ["limit", "limit", WORDS],
  ["most", "most", COUNT],
  ["users", "users", IDS],
  ["retryAfter", "retry_after", COUNT],
];

/** What a problem document or an `error` frame says. `otherwise` is its code where it names none. */
export function problemOf(value: unknown, otherwise: string): Problem {
  const said: Readonly<Record<string, unknown>> =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : {};
  const found: Record<string, unknown> = {
    code: fitting(text(64, 1), said["code"]) ?? otherwise,
    detail: fitting(WORDS, said["detail"]) ?? fitting(WORDS, said["title"]) ?? "",
  };
  for (const [of, name, codec] of MEMBERS) {
    const member = fitting(codec, said[name]);
    if (member !== undefined) found[of] = member;
  }
  return found as unknown as Problem;
}

function fitting<T>(codec: Codec<T>, value: unknown): T | undefined {
  try {
    return codec.read(value);
  } catch (error) {
    if (error instanceof Misfit) return undefined;
    throw error;
  }
}
