/** What only a browser can show: a disk that is really full, and a worker that is ended in the middle of a write. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Vault } from "../../../messenger/web/client/src/engine/vault.ts";
import { errors } from "../../../messenger/web/client/src/store/index.ts";
import { NOW, freshName, profile } from "../store/world.ts";

const MIB = 1_048_576;
const WRITER = "/bundles/writer.js";

/** Trusted Types, as much as is used here: the compiler's library has none of it. */
declare const trustedTypes: {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string };
};

/** The one script that may be started here, by the policy of the page. */
const scripts = trustedTypes.createPolicy("messenger", {
  createScriptURL: (url) => (url === WRITER ? url : ""),
});

/** What the page may store, in bytes; as the browser has it without a number. */
async function quota(bytes?: number): Promise<void> {
  await fetch(bytes === undefined ? "/quota" : `/quota?bytes=${String(bytes)}`, { method: "POST" });
}

test("a full disk has a name, and nothing is lost", async () => {
  await quota(4 * MIB); // first of all: the browser remembers for a while how much there was
  const { vault } = await profile();
  const write = (name: string, size: number): Promise<void> =>
    vault.run((store) => {
      store.account.set(
        name,
        crypto.getRandomValues(new Uint8Array(65_536)).slice(0, Math.min(size, 65_536)),
      );
      for (let at = 65_536; at < size; at += 65_536) {
        store.account.set(`${name}/${String(at)}`, crypto.getRandomValues(new Uint8Array(65_536)));
      }
    });
  await write("before", 1_000);
  await assert.rejects(write("too much", 8 * MIB), errors.StoreFull);
  await quota();
  await vault.run(async ({ account }) => {
    assert.equal((await account.raw("before"))?.length, 1_000);
    assert.equal(await account.raw("too much"), undefined);
  });
  await write("after", 1_000);
  await vault.close();
});

test("a worker that is ended while it writes leaves each piece of work whole or undone", async () => {
  const name = freshName();
  await (await Vault.create(name, null)).close();
  let acknowledged = 0;
  let last = 0;
  for (let round = 0; round < 20; round += 1) {
    const worker = new Worker(scripts.createScriptURL(WRITER), { type: "module", name });
    const heard = await new Promise<number>((resolve, reject) => {
      worker.onerror = reject;
      // After some pieces of work, at no particular moment of the next.
      const enough = 2 + Math.floor(Math.random() * 4);
      let count = 0;
      worker.onmessage = (event: MessageEvent<number>) => {
        acknowledged = event.data;
        count += 1;
        if (count >= enough) setTimeout(resolve, Math.random() * 6, event.data);
      };
    });
    worker.terminate();
    const vault = await Vault.open(name, null, () => NOW);
    await vault.run(async ({ account, messages, journal }) => {
      const count = Number(await account.get("count"));
      // What was acknowledged is there, and at most the one piece that was under way besides.
      assert.ok(count >= acknowledged && count >= heard, `${String(count)} of ${String(acknowledged)}`);
      assert.ok(count > last);
      last = count;
      const found = await messages.after(0, 10_000);
      assert.deepEqual(
        found.map((one) => one.seq),
        found.map((_, at) => at + 1),
      );
      assert.equal(found.length, count);
      assert.equal((await journal.after(0, 10_000)).length, count);
    });
    await vault.close();
  }
});
