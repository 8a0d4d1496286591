/**
 * What is sent as the password: judged, asked for and derived. The password itself does not leave the device.
 *
 * A profile keeps how its account's password was derived last (session.ts). It asks again each time, since the
 * password may have been changed elsewhere, and takes nothing weaker. A profile without one was told to log in bare;
 * what its live session asks for is what it began with, and its next change of the password ends that.
 */

import { BareKdf, KdfError, UnknownKdf, WeakKdf } from "../e2e/errors.ts";
import { type Derived, type Kdf, judge } from "../e2e/password.ts";
import { same } from "../e2e/primitives.ts";
import { Open } from "../net/open.ts";
import { Unreachable } from "../net/errors.ts";
import type { Http } from "../net/http.ts";
import { type Words, fault } from "../wire/passwords.ts";
import { KdfRefused, WeakPassword } from "./errors.ts";

/** Argon2id; a second and more of work. */
export type Derive = (password: string, kdf: Kdf) => Derived;

/** The server's rules for passwords, before it gets what it can't judge. WeakPassword; Unreachable for the list. */
export async function checkNew(password: string, username: string): Promise<void> {
  const wrong = fault(password, username.trim().toLowerCase(), await commonWords());
  if (wrong !== undefined) throw new WeakPassword(wrong);
}

/** The words that common passwords are made of: 8 KB compressed, loaded when a password is chosen. Unreachable. */
export async function commonWords(): Promise<Words> {
  try {
    // A loader remembers what it has loaded.
    const { default: text } = await import("../../../../wire/common_words.txt");
    return new Set(text.split("\n").filter((line) => line !== "" && !line.startsWith("#")));
  } catch {
    // It says nothing more than that it failed.
    throw new Unreachable("The list of passwords that anyone would try can't be loaded: try again.");
  }
}

/** How the server wants this name's password; null: bare, which was allowed. KdfRefused. */
export async function askedKdf(
  http: Http,
  username: string,
  known: Kdf | null,
  allowBare: boolean,
): Promise<Kdf | null> {
  try {
    return judge(await new Open(http).kdf(username), known, allowBare);
  } catch (error) {
    if (!(error instanceof KdfError)) throw error;
    throw new KdfRefused(error.message, codeOf(error));
  }
}

/** The same, and what was derived last is not derived again: a store's lock is mostly made as the login is. */
export function remembering(derive: Derive): Derive {
  let last: { readonly password: string; readonly kdf: Kdf; readonly derived: Derived } | undefined;
  return (password, kdf) => {
    if (last?.password !== password || !sameKdf(last.kdf, kdf)) {
      last = { password, kdf, derived: derive(password, kdf) };
    }
    return last.derived;
  };
}

function sameKdf(one: Kdf, other: Kdf): boolean {
  const work = ({ algorithm, memory_kib, passes, lanes }: Kdf): string =>
    [algorithm, memory_kib, passes, lanes].join();
  return work(one) === work(other) && same(one.salt, other.salt);
}

function codeOf(error: KdfError): string {
  if (error instanceof BareKdf) return "bare_kdf";
  if (error instanceof UnknownKdf) return "unknown_kdf";
  return error instanceof WeakKdf ? "weak_kdf" : "excessive_kdf";
}
