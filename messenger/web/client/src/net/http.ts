/**
 * One HTTP request, and what can become of it: an answer that was no error, or a named one.
 *
 * 429 and 503 are waited out as the server says (Retry-After, in seconds), with a drawn time on top, up to the
 * caller's patience: they say that nothing was done. Nothing else is sent again here. An answer is read up to a
 * bound, and within a deadline that each part of it puts off.
 */

import { type Codec, Misfit, decode, parsed, textOf } from "../wire/codec.ts";
import { type Problem, problemOf } from "../wire/errors.ts";
import { Backoff } from "./backoff.ts";
import { type Clock, Deadline, SYSTEM_CLOCK, pause } from "./clock.ts";
import { BadAnswer, Busy, Refused, Unreachable } from "./errors.ts";

/** Bytes of an answer that is not streamed. */
export const MAX_ANSWER = 8 * 1_048_576;
const LONGEST_RETRY_AFTER = 3_600_000;

/** Where access tokens come from. */
export interface Token {
  /** One that still holds. */
  access(signal?: AbortSignal): Promise<string>;
  /** Another one than this. */
  renew(stale: string, signal?: AbortSignal): Promise<string>;
}

export interface Asking {
  readonly method?: string;
  /** Below /api/v1. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Blob;
  readonly token?: Token | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body is unread; `end` has to be called when it was read or is not wanted. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parts of the body as they come. Unreachable. */
  parts(): AsyncGenerator<Uint8Array, void>;
  end(): void;
}

export interface HttpSettings {
  /** `https://host:port` of the server. */
  readonly origin: string;
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
  /** Milliseconds in which something has to come. */
  readonly timeout?: number;
  /** Milliseconds that one call waits in all where the server says 429 or 503. */
  readonly patience?: number;
}

export class Http {
  readonly origin: string;
  readonly clock: Clock;
  readonly #fetch: typeof globalThis.fetch;
  readonly #timeout: number;
  readonly #patience: number;

  constructor(settings: HttpSettings) {
    this.origin = settings.origin;
    this.clock = settings.clock ?? SYSTEM_CLOCK;
    this.#fetch = settings.fetch ?? globalThis.fetch.bind(globalThis);
    this.#timeout = settings.timeout ?? 30_000;
    this.#patience = settings.patience ?? 60_000;
  }

  /** The answer's value. Refused, Busy, Unreachable, BadAnswer; SessionEnded where a token is asked for. */
  async call<T>(asking: Asking, codec: Codec<T>): Promise<T> {
    const answer = await this.open(asking);
    const raw = await whole(answer);
    try {
      return decode(codec, raw);
    } catch (error) {
      if (error instanceof Misfit) throw new BadAnswer(`The server's answer does not fit: ${error.message}.`);
      throw error;
    }
  }

  /** The same where no value is expected. */
  async tell(asking: Asking): Promise<void> {
    await whole(await this.open(asking));
  }

  /** An answer that is no error, its body unread. As `call`. */
  async open(asking: Asking): Promise<Answer> {
    const backoff = new Backoff(() => this.clock.draw());
    let waited = 0;
    let renewed = false;
    for (;;) {
      const { token, signal } = asking;
      const access = await token?.access(signal);
      try {
        return await this.#once(asking, access);
      } catch (error) {
        if (error instanceof Busy) {
          const wait = backoff.next(error.retryAfter);
          waited += wait;
          if (waited > this.#patience) throw error;
          await pause(this.clock, wait, signal);
        } else if (error instanceof Refused && error.status === 401 && access !== undefined && !renewed) {
          renewed = true;
          await token?.renew(access, signal);
        } else {
          throw error;
        }
      }
    }
  }

  async #once(asking: Asking, access: string | undefined): Promise<Answer> {
    const { method = "GET", path, query, headers, body, signal } = asking;
    const url = new URL(`${this.origin}/api/v1${path}`);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, String(value));
    const deadline = new Deadline(this.clock, this.#timeout, signal);
    let response: Response;
    try {
      response = await this.#fetch(url, {
        method,
        headers: { ...headers, ...(access === undefined ? {} : { Authorization: `Bearer ${access}` }) },
        body: (body ?? null) as BodyInit | null,
        // No cookies, no other place than the one that was asked, nothing of it on the disk.
        credentials: "omit",
        redirect: "manual",
        cache: "no-store",
        referrerPolicy: "no-referrer",
        signal: deadline.signal,
      });
    } catch {
      deadline.end();
      throw gone(deadline, signal);
    }
    deadline.pause();
    const answer = answerOf(response, deadline, signal);
    if (response.status >= 200 && response.status < 300) return answer;
    if (response.status >= 400) throw refusal(response, await whole(answer));
    answer.end();
    throw new BadAnswer("The server sends us elsewhere.");
  }
}

/** JSON of a body. */
export function json<T>(codec: Codec<T>, value: T): Pick<Asking, "headers" | "body"> {
  return {
    headers: { "Content-Type": "application/json" },
    body: new TextEncoder().encode(codec.write(value)),
  };
}

/** All of a body, up to `most` bytes; the answer is ended. BadAnswer, Unreachable. */
export async function whole(answer: Answer, most = MAX_ANSWER): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of answer.parts()) {
      size += part.length;
      if (size > most) throw new BadAnswer("The server's answer is too long.");
      parts.push(part);
    }
  } finally {
    answer.end();
  }
  const raw = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    raw.set(part, at);
    at += part.length;
  }
  return raw;
}

function answerOf(response: Response, deadline: Deadline, signal: AbortSignal | undefined): Answer {
  const reader = response.body?.getReader();
  return {
    status: response.status,
    headers: response.headers,
    async *parts() {
      while (reader !== undefined) {
        deadline.putOff();
        let read: ReadableStreamReadResult<Uint8Array>;
        try {
          read = await reader.read();
        } catch {
          throw gone(deadline, signal);
        }
        if (read.done) return;
        deadline.pause();
        yield read.value;
      }
    },
    end() {
      deadline.end();
      reader?.cancel().catch(() => undefined); // what is broken already can't be given up
    },
  };
}

function gone(deadline: Deadline, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  return new Unreachable(
    deadline.passed ? "The server does not answer." : "The server can't be reached, or has broken off.",
  );
}

function refusal(response: Response, raw: Uint8Array): Refused {
  const problem = problemIn(raw, response.status);
  if (response.status !== 429 && response.status !== 503) return new Refused(response.status, problem);
  return new Busy(response.status, problem, retryAfter(response.headers.get("Retry-After")));
}

function problemIn(raw: Uint8Array, status: number): Problem {
  const otherwise = `http_${String(status)}`;
  try {
    return problemOf(parsed(textOf(raw)).value, otherwise);
  } catch (error) {
    if (error instanceof Misfit) return problemOf(null, otherwise);
    throw error;
  }
}

function retryAfter(text: string | null): number | undefined {
  if (text === null || !/^[0-9]{1,9}$/.test(text)) return undefined;
  return Math.min(LONGEST_RETRY_AFTER, Number(text) * 1_000);
}
