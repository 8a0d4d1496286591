/** HTTP, the session's tokens and files, against a server that is a function. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { Api } from "../../messenger/web/client/src/net/api.ts";
import { type Clock } from "../../messenger/web/client/src/net/clock.ts";
import { Files, PIECE, blobSource } from "../../messenger/web/client/src/net/files.ts";
import { Http, MAX_ANSWER } from "../../messenger/web/client/src/net/http.ts";
import { SessionTokens, type Tokens } from "../../messenger/web/client/src/net/tokens.ts";
import { USER } from "../../messenger/web/client/src/wire/auth.ts";

const ID = "01985c3e-8b21-7f4a-8c2d-6f1a5b2c3d4e";
const ME = { user_id: ID, username: "alice", created_at: "2026-01-31T09:30:00.123Z" };

/** Time passes at once where somebody waits for it, but for deadlines, which only `pass` brings on. */
class FakeClock implements Clock {
  time = 0;
  readonly waits: number[] = [];
  readonly #deadlines = new Set<() => void>();

  now(): number {
    return this.time;
  }

  draw(): number {
    return 0.5;
  }

  after(milliseconds: number, call: () => void): () => void {
    if (milliseconds === 30_000) {
      this.#deadlines.add(call);
      return () => this.#deadlines.delete(call);
    }
    this.waits.push(milliseconds);
    const timer = setImmediate(() => {
      this.time += milliseconds;
      call();
    });
    return () => {
      clearImmediate(timer);
    };
  }

  pass(): void {
    for (const call of [...this.#deadlines]) call();
  }

  get held(): number {
    return this.#deadlines.size;
  }
}

type Answering = (request: Request, body: Uint8Array) => Response | Promise<Response>;

function server(
  answering: Answering,
  clock = new FakeClock(),
): { http: Http; clock: FakeClock; asked: string[] } {
  const asked: string[] = [];
  const fetch = async (url: URL | string, init?: RequestInit): Promise<Response> => {
    const request = new Request(url, init);
    asked.push(`${request.method} ${new URL(request.url).pathname.replace("/api/v1", "")}`);
    init?.signal?.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      init?.signal?.addEventListener("abort", () => {
        reject(new DOMException("aborted", "AbortError"));
      });
    });
    aborted.catch(() => undefined);
    const body = new Uint8Array(await request.arrayBuffer());
    return Promise.race([answering(request, body), aborted]);
  };
  return {
    http: new Http({ origin: "http://x", fetch: fetch as typeof globalThis.fetch, clock }),
    clock,
    asked,
  };
}

function problem(
  status: number,
  code: string,
  headers: Record<string, string> = {},
  more: object = {},
): Response {
  return new Response(JSON.stringify({ code, detail: "No.", ...more }), { status, headers });
}

const session = (name: string): Response =>
  Response.json({
    user: ME,
    device_id: ID,
    access_token: `access-${name}`,
    expires_in: 900,
    refresh_token: `refresh-${name}`,
  });

const tokens = (name: string, expiresAt = 900_000): Tokens => ({
  access: `access-${name}`,
  refresh: `refresh-${name}`,
  expiresAt,
});

test("answers, refusals, and what is none", async () => {
  for (const [answer, expected] of [
    [Response.json(ME), null],
    [problem(404, "not_found"), { name: "Refused", status: 404, code: "not_found", message: "No." }],
    [new Response("<html>", { status: 502 }), { name: "Refused", status: 502, code: "http_502" }],
    [Response.json({ ...ME, user_id: "x" }), { name: "BadAnswer", message: /user_id/ }],
    [new Response("{"), { name: "BadAnswer" }],
    [new Response(new Uint8Array([0xff])), { name: "BadAnswer" }],
    [new Response(new Uint8Array(MAX_ANSWER + 1)), { name: "BadAnswer", message: /too long/ }],
    [new Response(null, { status: 302, headers: { Location: "http://evil" } }), { name: "BadAnswer" }],
  ] as const) {
    const { http, clock } = server(() => answer);
    const call = http.call({ path: "/auth/me" }, USER);
    if (expected === null) assert.deepEqual(await call, ME);
    else await assert.rejects(call, expected);
    assert.equal(clock.held, 0, "no deadline is left");
  }
  const { http } = server(() => Promise.reject(new TypeError("fetch failed")));
  await assert.rejects(http.tell({ path: "/auth/me" }), { name: "Unreachable" });
});

test("429 and 503 are waited out, up to a bound", async () => {
  let left = 3;
  const { http, clock } = server(() => {
    left -= 1;
    if (left === 2) return problem(429, "rate_limited", { "Retry-After": "7" });
    return left === 1 ? problem(503, "unavailable") : Response.json(ME);
  });
  assert.deepEqual(await http.call({ path: "/auth/me" }, USER), ME);
  assert.deepEqual(clock.waits, [7_500, 1_000]);
  const busy = server(() => problem(503, "unavailable", { "Retry-After": "soon" }));
  await assert.rejects(busy.http.tell({ path: "/x" }), { name: "Busy", status: 503 });
  assert.equal(busy.asked.length, 7, "0.5, 1, 2, 4, 8 and 16 s");
  const long = server(() => problem(429, "rate_limited", { "Retry-After": "61" }));
  await assert.rejects(long.http.tell({ path: "/x" }), { name: "Busy", retryAfter: 61_000 });
  assert.deepEqual(long.clock.waits, []);
});

test("deadlines and signals end every wait", async () => {
  const silent = server(() => new Promise<Response>(() => undefined));
  const call = silent.http.tell({ path: "/x" });
  await new Promise(setImmediate);
  silent.clock.pass();
  await assert.rejects(call, { name: "Unreachable", message: /does not answer/ });
  const stalled = server(
    () =>
      new Response(
        new ReadableStream({
          start: (c) => {
            c.enqueue(new Uint8Array(3));
          },
        }),
      ),
  );
  const reading = stalled.http.tell({ path: "/x" });
  const controller = new AbortController();
  const given = silent.http.tell({ path: "/x", signal: controller.signal });
  await new Promise(setImmediate);
  controller.abort(new Error("enough"));
  await assert.rejects(given, { message: "enough" });
  await assert.rejects(silent.http.tell({ path: "/x", signal: controller.signal }), { message: "enough" });
  stalled.clock.pass();
  void reading.catch(() => undefined);
  assert.equal(silent.clock.held, 0);
});

test("one refresh at a time, written down before it is used", async () => {
  const told: (string | undefined)[] = [];
  const { http, asked, clock } = server(async (request) => {
    await new Promise(setImmediate);
    if (request.url.endsWith("/refresh")) return session("2");
    return request.headers.get("Authorization") === "Bearer access-2"
      ? Response.json(ME)
      : problem(401, "unauthorized");
  });
  const held = new SessionTokens(http, tokens("1"), (now) => {
    told.push(now?.refresh);
    return Promise.resolve();
  });
  const api = new Api(http, held);
  assert.deepEqual(await Promise.all([api.me(), api.me(), api.me()]), [ME, ME, ME]);
  assert.equal(asked.filter((one) => one.endsWith("/refresh")).length, 1);
  assert.deepEqual(told, ["refresh-2"]);
  clock.time = 850_000;
  const gone = new AbortController();
  const [one, other] = [held.access(gone.signal), held.access()];
  gone.abort(new Error("enough"));
  await assert.rejects(one, { message: "enough" });
  assert.equal(await other, "access-2");
  assert.equal(asked.filter((path) => path.endsWith("/refresh")).length, 2, "who gives up, gives up alone");
});

test("a session that has ended stays so, and what fails otherwise does not end it", async () => {
  for (const [answer, code] of [
    [() => problem(401, "refresh_reused"), "refresh_reused"],
    [() => problem(401, "unauthorized", {}, { reason: "removed" }), "removed"],
  ] as const) {
    let remembered: Tokens | null = tokens("1");
    const { http, asked } = server(answer);
    const held = new SessionTokens(http, tokens("1", 0), (now) => {
      remembered = now;
      return Promise.resolve();
    });
    await assert.rejects(held.access(), { name: "SessionEnded", code });
    await assert.rejects(held.access(), { name: "SessionEnded", code });
    assert.equal(asked.length, 1);
    assert.equal(remembered, null);
  }
  let away = true;
  const { http } = server(() => (away ? problem(500, "internal") : session("2")));
  const held = new SessionTokens(http, tokens("1", 0), () => Promise.resolve());
  await assert.rejects(held.access(), { name: "Refused", status: 500 });
  away = false;
  assert.equal(await held.access(), "access-2");
});

const CONTENT = Uint8Array.from({ length: 2 * PIECE + 1_000 }, (_, at) => (at * 31 + (at >> 10)) % 256);

/** A server of tus that breaks off whenever `breaks` says so. */
function tus(breaks: (count: number) => "cut" | "lost" | "damaged" | "no"): {
  files: Files;
  stored: () => Uint8Array;
} {
  let stored = new Uint8Array(0);
  let count = 0;
  const headers = (): Record<string, string> => ({
    "Upload-Offset": String(stored.length),
    ...(stored.length === CONTENT.length ? { "X-File-ID": ID } : {}),
  });
  const { http } = server((request, body) => {
    if (request.method === "POST")
      return new Response(null, {
        status: 201,
        headers: { Location: `http://evil/api/v1/files/uploads/${ID}` },
      });
    if (request.method === "HEAD") return new Response(null, { status: 200, headers: headers() });
    count += 1;
    const how = breaks(count);
    if (how === "cut") throw new TypeError("cut");
    if (Number(request.headers.get("Upload-Offset")) !== stored.length) return problem(409, "conflict");
    const checksum = `sha256 ${createHash("sha256").update(body).digest("base64")}`;
    if (how === "damaged" || request.headers.get("Upload-Checksum") !== checksum)
      return problem(460, "checksum_mismatch");
    stored = new Uint8Array(Buffer.concat([stored, body]));
    if (how === "lost") throw new TypeError("the answer is lost");
    return new Response(null, { status: 204, headers: headers() });
  });
  const token = { access: () => Promise.resolve("a"), renew: () => Promise.resolve("b") };
  return { files: new Files(http, token), stored: () => stored };
}

test("an upload goes on where it was", async () => {
  const source = blobSource(new Blob([CONTENT]));
  for (const way of [
    ["no"],
    ["cut", "no"],
    ["lost"],
    ["damaged", "no"],
    ["lost", "cut", "damaged", "no"],
  ] as const) {
    const { files, stored } = tus((count) => way[(count - 1) % way.length] ?? "no");
    const seen: number[] = [];
    const begun: string[] = [];
    const given = {
      source,
      begun: (one: string) => void begun.push(one),
      progress: (at: number) => void seen.push(at),
    };
    assert.equal(await files.upload(given), ID, way.join());
    assert.deepEqual(Buffer.from(stored()).equals(CONTENT), true, way.join());
    assert.deepEqual(begun, [ID]);
    assert.deepEqual(seen.at(-1), CONTENT.length);
    assert.equal(await files.upload({ source, resume: ID }), ID, "its answer was lost: asked for again");
  }
  for (const way of ["cut", "damaged"] as const) {
    const { files } = tus(() => way);
    await assert.rejects(files.upload({ source }), { name: way === "cut" ? "Unreachable" : "Refused" });
  }
});

test("a download goes on by ranges of the same entity, and is bounded", async () => {
  let tag = '"1"';
  let cut = 3;
  const { http } = server((request) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.get("Range") ?? "")?.[1] ?? 0);
    const same = (request.headers.get("If-Range") ?? tag) === tag;
    const at = same ? from : 0;
    cut -= 1;
    const rest = CONTENT.subarray(at, cut > 0 ? at + 100_000 : undefined);
    const range = {
      "Content-Range": `bytes ${String(at)}-${String(CONTENT.length - 1)}/${String(CONTENT.length)}`,
    };
    const headers = { ETag: tag, "Content-Length": String(CONTENT.length - at), ...(at > 0 ? range : {}) };
    return new Response(rest, { status: at > 0 ? 206 : 200, headers });
  });
  const token = { access: () => Promise.resolve("a"), renew: () => Promise.resolve("b") };
  const files = new Files(http, token);
  const all = async (most = CONTENT.length): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of files.download(ID, most)) parts.push(part);
    return Buffer.concat(parts);
  };
  assert.ok((await all()).equals(CONTENT));
  await assert.rejects(all(CONTENT.length - 1), { name: "BadAnswer" });
  cut = 3;
  const parts = files.download(ID, CONTENT.length);
  await parts.next();
  tag = '"2"';
  await assert.rejects(
    async () => {
      for await (const part of parts) assert.ok(part.length > 0);
    },
    { name: "FileChanged" },
  );
  assert.throws(() => void files.info("../auth/me"), { name: "Misfit" });
});
