/** The calls of the wire contract that want no session, in the wire's own types. */

import * as auth from "../wire/auth.ts";
import { INFO, type Info } from "../wire/system.ts";
import { Refused } from "./errors.ts";
import { type Http, json } from "./http.ts";

type KdfAnswer = ReturnType<(typeof auth.KDF_ANSWER)["read"]>["kdf"];
/** A session, or the challenge that a second factor has to answer. */
export type LoggedIn = { readonly session: auth.Session } | { readonly challenge: string };

/** The calls that want no session. */
export class Open {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** What the server says of itself. */
  info(signal?: AbortSignal): Promise<Info> {
    return this.#http.call({ path: "/info", signal }, INFO);
  }

  /** How the password of this name is derived, unjudged; null: not at all, or the server has no such call. */
  async kdf(username: string, signal?: AbortSignal): Promise<KdfAnswer> {
    try {
      const asking = { path: "/auth/kdf", query: { username }, signal };
      return (await this.#http.call(asking, auth.KDF_ANSWER)).kdf;
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null;
      throw error;
    }
  }

  /** A new account; `password` is derived by `kdf`. */
  register(body: auth.Register, signal?: AbortSignal): Promise<auth.Session> {
    const asking = { method: "POST", path: "/auth/register", ...json(auth.REGISTER, body), signal };
    return this.#http.call(asking, auth.SESSION);
  }

  async login(body: auth.Login, signal?: AbortSignal): Promise<LoggedIn> {
    const asking = { method: "POST", path: "/auth/login", ...json(auth.LOGIN, body), signal };
    try {
      return { session: await this.#http.call(asking, auth.SESSION) };
    } catch (error) {
      const challenge = error instanceof Refused ? error.problem.challenge : undefined;
      if (error instanceof Refused && error.code === "second_factor_required" && challenge !== undefined)
        return { challenge };
      throw error;
    }
  }

  /** A session for a challenge. */
  secondFactor(challenge: string, code: string, signal?: AbortSignal): Promise<auth.Session> {
    const body = json(auth.SECOND_FACTOR, { challenge, code });
    return this.#http.call({ method: "POST", path: "/auth/second-factor", ...body, signal }, auth.SESSION);
  }
}
