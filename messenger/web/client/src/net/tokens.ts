/**
 * The session's tokens. A refresh token is spent by its use, so the new one is written down before anything is
 * done with it; the server answers a repeat of the spent one for 30 s, for whoever died in between.
 */

import { REFRESH, SESSION, type Session } from "../wire/auth.ts";
import { type Clock, orAborted } from "./clock.ts";
import { Refused, SessionEnded } from "./errors.ts";
import { type Http, type Token, json } from "./http.ts";

/** Milliseconds before its end that a token is renewed. */
export const EARLY = 60_000;
const LONGEST = 86_400;

/** What a session leaves a client with; `expiresAt` is in milliseconds since 1970, by this device's clock. */
export interface Tokens {
  readonly access: string;
  readonly refresh: string;
  readonly expiresAt: number;
}

/** A session's tokens. */
export function tokensOf(session: Session, now: number): Tokens {
  return {
    access: session.access_token,
    refresh: session.refresh_token,
    expiresAt: now + Math.min(session.expires_in, LONGEST) * 1_000,
  };
}

/** The tokens of one device's session. Only one of a device's tabs may have it. */
export class SessionTokens implements Token {
  readonly #http: Http;
  readonly #clock: Clock;
  readonly #remember: (tokens: Tokens | null) => Promise<void>;
  #tokens: Tokens | null;
  #renewing: Promise<string> | undefined;
  #why = "session_ended"; // there is none

  /** `remember` writes them down durably. */
  constructor(http: Http, tokens: Tokens | null, remember: (tokens: Tokens | null) => Promise<void>) {
    this.#http = http;
    this.#clock = http.clock;
    this.#tokens = tokens;
    this.#remember = remember;
  }

  /** When the access token ends; 0 without one. */
  get expiresAt(): number {
    return this.#tokens?.expiresAt ?? 0;
  }

  /** Whether there is a session as far as is known. */
  get alive(): boolean {
    return this.#tokens !== null;
  }

  /** A token that holds for a while. SessionEnded, and what a call throws. */
  async access(signal?: AbortSignal): Promise<string> {
    const tokens = this.#standing();
    if (tokens.expiresAt - this.#clock.now() > EARLY) return tokens.access;
    return this.renew(tokens.access, signal);
  }

  /** Another token than `stale`; who asks meanwhile waits for the same one, and may give up alone. */
  async renew(stale: string, signal?: AbortSignal): Promise<string> {
    const tokens = this.#standing();
    if (tokens.access !== stale) return tokens.access;
    this.#renewing ??= this.#renew(tokens).finally(() => {
      this.#renewing = undefined;
    });
    return orAborted(this.#renewing, signal);
  }

  /** Go on with the tokens of another login, or with none. */
  async replace(tokens: Tokens | null): Promise<void> {
    await this.#remember(tokens);
    this.#tokens = tokens;
  }

  #standing(): Tokens {
    if (this.#tokens === null) throw new SessionEnded(this.#why);
    return this.#tokens;
  }

  async #renew(spent: Tokens): Promise<string> {
    let session: Session;
    try {
      session = await this.#http.call(
        { method: "POST", path: "/auth/refresh", ...json(REFRESH, { refresh_token: spent.refresh }) },
        SESSION,
      );
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401 || this.#tokens !== spent) throw error;
      // For all who ask after this one, too.
      this.#why = error.problem.reason === "removed" ? "removed" : error.code;
      await this.replace(null);
      throw new SessionEnded(this.#why);
    }
    // Somebody has logged in anew meanwhile: that session counts.
    if (this.#tokens !== spent) return this.#standing().access;
    const fresh = tokensOf(session, this.#clock.now());
    await this.replace(fresh);
    return fresh.access;
  }
}
