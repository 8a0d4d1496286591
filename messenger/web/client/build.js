/**
 * Bundles, by esbuild: `node build.js OUT` writes what the gateway serves as `OUT/static/*` (bundle.js), `OUT/e2e.js`,
 * `OUT/store.js`, for Node `OUT/tests/*.js`, and for browsers those of the tests that run there, too, as
 * `OUT/browser/*.js`.
 *
 * What goes in is these sources and the lock file's packages, and nothing of the machine: no dates, no paths. So
 * the same bytes come out in any folder (`make web-check`).
 */

import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { bundle } from "./bundle.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const TESTS = resolve(HERE, "../../../tests/web");

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: node build.js OUT");

const common = {
  absWorkingDir: HERE,
  bundle: true,
  charset: "utf8",
  format: "esm",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  loader: { ".txt": "text" },
  logLevel: "warning",
  target: "es2023",
};

await bundle(common, resolve(out, "static"));

await build({
  ...common,
  entryPoints: { e2e: "src/e2e/index.ts", store: "src/store/index.ts" },
  minify: true,
  outdir: resolve(out),
  platform: "browser",
});

await build({
  ...common,
  entryPoints: readdirSync(TESTS, { recursive: true })
    .filter(
      (name) =>
        (name.endsWith(".test.ts") && !name.startsWith("browser")) ||
        ["agent.ts", "live.ts", "encryption_speed.ts", "screens_live.ts", "tabs_live.ts"].includes(name),
    )
    .map((name) => join(TESTS, name)),
  nodePaths: [join(HERE, "node_modules")],
  outbase: TESTS,
  outdir: resolve(out, "tests"),
  platform: "node",
  sourcemap: "inline",
});

// Is run in a page that is not of it, as one script.
await build({
  ...common,
  entryPoints: [join(TESTS, "screens/fill.ts")],
  format: "iife",
  nodePaths: [join(HERE, "node_modules")],
  outdir: resolve(out, "tests"),
  platform: "browser",
});

// Tests that import nothing of Node's but what there is something else for.
const IN_BROWSERS = JSON.parse(readFileSync(join(TESTS, "browser/tests.json"), "utf8"));
// What they import of Node's, and what they import instead in a browser.
const INSTEAD = {
  "node:test": join(TESTS, "browser/test.ts"),
  "node:assert/strict": join(TESTS, "browser/assert.ts"),
  [join(TESTS, "files.ts")]: join(TESTS, "browser/files.ts"),
  "fake-indexeddb/auto": join(TESTS, "browser/nothing.ts"),
};

await build({
  ...common,
  entryPoints: ["browser/page", "browser/speed", "browser/writer", "encryption_speed", ...IN_BROWSERS].map(
    (name) => join(TESTS, `${name}.ts`),
  ),
  entryNames: "[name]",
  nodePaths: [join(HERE, "node_modules")],
  outdir: resolve(out, "browser"),
  platform: "browser",
  plugins: [
    {
      name: "instead",
      setup: (bundle) => {
        bundle.onResolve({ filter: /^node:|^fake-indexeddb|\/files\.ts$/ }, ({ path, resolveDir }) => {
          const found = INSTEAD[path.startsWith(".") ? resolve(resolveDir, path) : path];
          return found === undefined ? undefined : { path: found };
        });
      },
    },
  ],
  // The page and a test share what they register with.
  splitting: true,
});
