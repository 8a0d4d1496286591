/** A worker that writes to the profile of its name for as long as it lives, and tells of each piece that was stored. */

import { Vault } from "../../../messenger/web/client/src/engine/vault.ts";
import { message } from "../store/world.ts";

/** A worker's globals, as much as is used here. */
declare const self: { readonly name: string; postMessage(value: number): void };

async function main(): Promise<void> {
  const vault = await Vault.open(self.name, null);
  for (;;) {
    const count = await vault.run(async (shelf) => {
      const next = Number((await shelf.account.get("count")) ?? 0) + 1;
      shelf.account.set("count", String(next));
      await shelf.messages.add(message(next));
      await shelf.tell({ event: "message_received" });
      return next;
    });
    self.postMessage(count);
  }
}

void main();
