/**
 * What browsers load: `bundle(out)` writes the page, its worker and its service worker, each also as gzip, and
 * `manifest.json`, which says what lies at which path.
 *
 * Files are named by their content, but for the page and the service worker. `version` is a hash of all that is built
 * of the sources; who runs one version tells by it whether another tab runs another one.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { build } from "esbuild";
// Written in JavaScript: the same bytes with any Node on any machine, which zlib does not promise.
import { gzipSync } from "fflate";

const sha256 = (raw) => createHash("sha256").update(raw).digest("hex");

/** One file, built of `entry`, with these constants. */
async function built(common, entry, constants = {}) {
  const { outputFiles } = await build({
    ...common,
    define: Object.fromEntries(
      Object.entries(constants).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
    entryPoints: [entry],
    minify: true,
    outdir: ".",
    platform: "browser",
    write: false,
  });
  return Buffer.from(outputFiles[0].contents);
}

/** All files by their path, in a fixed order; the service worker comes last, since it names all others. */
async function filesOf(common, read, version) {
  const files = new Map();
  const named = (name, raw) => {
    const [stem, suffix] = name.split(".");
    const path = `/assets/${stem}.${sha256(raw).slice(0, 16)}.${suffix}`;
    files.set(path, raw);
    return path;
  };
  const WORKER = named("worker.js", await built(common, "src/worker/worker.ts"));
  const put = (text, links) =>
    Object.entries(links).reduce((done, [name, path]) => done.replaceAll(name, path), text.toString());
  const icons = Object.fromEntries(
    ["icon.svg", "icon-192.png", "icon-512.png"].map((name) => [
      `%${name}%`,
      named(name, read(`src/ui/${name}`)),
    ]),
  );
  const links = {
    ...icons,
    "%MANIFEST%": named("app.webmanifest", Buffer.from(put(read("src/ui/app.webmanifest"), icons))),
    "%STYLE%": named("style.css", await built(common, "src/ui/style.css")),
    "%PAGE%": named("page.js", await built(common, "src/ui/main.tsx", { VERSION: version, WORKER })),
  };
  files.set("/", Buffer.from(put(read("src/ui/index.html"), links)));
  const FILES = Object.fromEntries([...files].map(([path, raw]) => [path, sha256(raw)]));
  files.set("/sw.js", await built(common, "src/service/sw.ts", { VERSION: version, FILES }));
  return files;
}

export async function bundle(common, out) {
  const read = (name) => readFileSync(join(common.absWorkingDir, name));
  const first = await filesOf(common, read, "");
  const version = sha256(Buffer.concat([...first.values()])).slice(0, 16);
  mkdirSync(out, { recursive: true });
  const files = [];
  for (const [path, raw] of await filesOf(common, read, version)) {
    const file = path === "/" ? "index.html" : path.slice(path.lastIndexOf("/") + 1);
    const packed = gzipSync(raw, { level: 9, mtime: 0 });
    writeFileSync(join(out, file), raw);
    writeFileSync(join(out, `${file}.gz`), packed);
    files.push({ path, file, sha256: sha256(raw), size: raw.length, gzip: packed.length });
  }
  writeFileSync(join(out, "manifest.json"), `${JSON.stringify({ files }, null, 1)}\n`);
}
