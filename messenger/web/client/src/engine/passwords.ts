/** What is sent as the password: judged, and asked for. The password itself does not leave the device. */

import { BareKdf, KdfError, UnknownKdf, WeakKdf } from "../e2e/errors.ts";
import { type Kdf, judge } from "../e2e/password.ts";
import { Open } from "../net/api.ts";
import type { Http } from "../net/http.ts";
import { isWellFormed, utf8 } from "../wire/bytes.ts";
import { KdfRefused, WeakPassword } from "./errors.ts";

const LEAST_PASSWORD = 10; // bytes of UTF-8
const MOST_PASSWORD = 1_024;

/** WeakPassword for what the server's rules of length refuse. */
export function checkNew(password: string): void {
  if (!isWellFormed(password)) throw new WeakPassword("The password is not Unicode text.");
  const { length } = utf8(password);
  if (length < LEAST_PASSWORD || length > MOST_PASSWORD) {
    throw new WeakPassword("A password has 10 to 1,024 bytes of UTF-8.");
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

function codeOf(error: KdfError): string {
  if (error instanceof BareKdf) return "bare_kdf";
  if (error instanceof UnknownKdf) return "unknown_kdf";
  return error instanceof WeakKdf ? "weak_kdf" : "excessive_kdf";
}
