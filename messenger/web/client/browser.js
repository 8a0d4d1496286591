/**
 * Runs tests in Chromium: `node browser.js CHROMIUM BUNDLES FILES NAME` prints TAP, as Node's own runner does.
 *
 * BUNDLES is the folder that build.js wrote for browsers, FILES one with what tests read, NAME a test. They are
 * served on 127.0.0.1 under the policies that the client will have; whatever breaks one of these fails. The page
 * tells its results by `POST /results`, so that nothing is put into it from outside.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import process from "node:process";

import { chromium } from "playwright-core";

const [executablePath, bundles, files, name] = process.argv.slice(2);
if (name === undefined) throw new Error("usage: node browser.js CHROMIUM BUNDLES FILES NAME");

const PATIENCE_MS = 240_000;
const TYPES = { ".js": "text/javascript", ".json": "application/json" };
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    "img-src 'self' blob:",
    "media-src blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types messenger",
  ].join("; "),
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};
const PAGE = '<!doctype html><title>tests</title><script type="module" src="/bundles/page.js"></script>';

let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
let devtools;
let origin;

const server = createServer((request, response) => {
  void answer(request).then(
    ([status, type, body]) => response.writeHead(status, { ...HEADERS, "Content-Type": type }).end(body),
    (error) => response.writeHead(404, HEADERS).end(String(error)),
  );
});

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  if (request.method === "POST") {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    if (pathname === "/results") finish(JSON.parse(Buffer.concat(pieces).toString()));
    if (pathname === "/quota") {
      // What the page may store, in bytes; without a number, what the browser allows.
      const quotaSize = searchParams.get("bytes");
      await devtools.send("Storage.overrideQuotaForOrigin", {
        origin,
        ...(quotaSize === null ? {} : { quotaSize: Number(quotaSize) }),
      });
    }
    return [200, "text/plain", ""];
  }
  if (pathname === "/") return [200, "text/html; charset=utf-8", PAGE];
  if (pathname === "/favicon.ico") return [200, "image/png", ""];
  const [, top, file, ...rest] = pathname.split("/");
  const folder = { bundles, files }[top];
  if (folder === undefined || rest.length > 0 || !/^[\w.-]+$/.test(file)) throw new Error(pathname);
  return [200, TYPES[extname(file)] ?? "text/plain", readFileSync(join(folder, file))];
}

await new Promise((resolve) => {
  server.listen(0, "127.0.0.1", resolve);
});
origin = `http://127.0.0.1:${String(server.address().port)}`;
const profile = mkdtempSync(join(tmpdir(), "messenger-web-"));
const context = await chromium.launchPersistentContext(profile, { executablePath });
const troubles = [];
try {
  const page = context.pages()[0] ?? (await context.newPage());
  devtools = await context.newCDPSession(page);
  page.on("pageerror", (error) => troubles.push(`the page: ${String(error.stack ?? error)}`));
  page.on("console", (said) => {
    if (said.type() === "error") troubles.push(`the console: ${said.text()}`);
  });
  for (const end of ["close", "crash"]) page.on(end, () => finish([]));
  await page.goto(`${origin}/#${name}`);
  const timer = setTimeout(() => {
    troubles.push(`the page has said nothing for ${String(PATIENCE_MS / 1_000)} s`);
    finish([]);
  }, PATIENCE_MS);
  report(await finished);
  clearTimeout(timer);
} finally {
  await context.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}

function report(results) {
  const failed = results.filter((one) => one.error !== undefined);
  const said = results.flatMap((one, at) => [
    `${one.error === undefined ? "ok" : "not ok"} ${String(at + 1)} - ${one.name} (${one.took.toFixed(0)} ms)`,
    ...[...one.said, ...(one.error ?? "").split("\n")].filter(Boolean).map((line) => `  # ${line}`),
  ]);
  said.push(...troubles.map((line) => `# ${line}`));
  said.push(`# pass ${String(results.length - failed.length)}`);
  said.push(`# fail ${String(failed.length + troubles.length)}`);
  process.stdout.write(`${said.join("\n")}\n`);
  if (failed.length + troubles.length > 0 || results.length === 0) process.exitCode = 1;
}
