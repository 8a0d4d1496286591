/** A worker that writes to the profile of its name for as long as it lives, and tells of each piece that was stored. */

import { Vault } from "../../../messenger/web/client/src/engine/vault.ts";
import { message } from "../store/world.ts";

/** A worker's globals, as much as is used here. */
declare const self: { readonly name: string; postMessage(value: number): void };

async function main(): Promise<void> {
  const vault = await Vault.open(self.name, null);
  for (;;) {
    const count = await vault.run(async (store) => {
      const next = Number((await store.account.get("count")) ?? 0) + 1;
      store.account.set("count", String(next));
      await store.messages.add(message(next));
      await store.tell({ event: "message_received" });
      return next;
    });
    self.postMessage(count);
  }
}

void main();
