/**
 * What a sender holds at a conversation's last places, as a digest that a receiver compares with its own.
 *
 *     digest = SHA-256("messenger-seen-1" 0x00 conversation_id
 *                      then of each place: seq (8) sender_device_id client_id)
 *
 * The server orders a conversation. It could show another order, or another message at a place, to each member;
 * by this it is found out as soon as anybody writes (docs/encryption.md, "Payloads").
 */

import { uint64 } from "../wire/bytes.ts";
import type { Seen } from "./payload.ts";
import { idBytes, label, same, sha256 } from "./primitives.ts";

const LABEL = label("messenger-seen-1");
/** Places that one message speaks of, at most. */
export const MOST = 32;

/** seq, sender's device_id, client_id */
export type Place = readonly [seq: number, deviceId: string, clientId: string];

/** What to say of these places, rising by seq: the last ones without a hole, at most 32; `undefined` for none. */
export function seenOf(conversationId: string, places: readonly Place[]): Seen | undefined {
  const run: Place[] = [];
  for (const place of places.toReversed()) {
    const [before] = run;
    if (run.length === MOST || (before !== undefined && place[0] !== before[0] - 1)) break;
    run.unshift(place);
  }
  const [first, last] = [run[0], run.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  return { from: first[0], seq: last[0], digest: digestOf(conversationId, run) };
}

/**
 * Whether a sender was shown another history than this device. `ownSeq` is the place of the message that says
 * so, `places` are those that this device holds from `seen.from` to `seen.seq`.
 *
 * What is not held here can't be compared, and is told as a hole where it is one.
 */
export function differs(
  seen: Seen,
  conversationId: string,
  ownSeq: number,
  places: readonly Place[],
): boolean {
  // Nobody has seen its own message, or a later one, before it wrote.
  if (seen.from > seen.seq || seen.seq >= ownSeq || seen.seq - seen.from >= MOST) return true;
  const whole =
    places.length === seen.seq - seen.from + 1 && places.every(([seq], at) => seq === seen.from + at);
  return whole && !same(digestOf(conversationId, places), seen.digest);
}

function digestOf(conversationId: string, places: readonly Place[]): Uint8Array {
  const entries = places.flatMap(([seq, device, client]) => [uint64(seq), idBytes(device), idBytes(client)]);
  return sha256(LABEL, idBytes(conversationId), ...entries);
}
