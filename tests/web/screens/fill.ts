/** Writes history into the profile of a browser, with the store's own functions; runs in a page without an engine. */

import { Vault } from "../../../messenger/web/client/src/engine/vault.ts";
import type { Message } from "../../../messenger/web/client/src/store/messages.ts";

const AT_ONCE = 500;
const APART = 400_000; // milliseconds between two of them
const WORDS = "the garden is in bloom and we had coffee by the gate until it rained again on saturday";

declare global {
  /** Write so many messages, as those that are like `like`, before all that is there. */
  var fill: (count: number, like: readonly Message[]) => Promise<void>;
}

globalThis.fill = async (count, like): Promise<void> => {
  const vault = await Vault.open("messenger", null);
  const words = WORDS.split(" ");
  const began = Date.now() - count * APART;
  for (let from = 0; from < count; from += AT_ONCE) {
    await vault.run(async (store) => {
      for (let at = from; at < Math.min(from + AT_ONCE, count); at += 1) {
        const one = like[at % 7 < 4 ? 0 : 1];
        if (one === undefined) throw new Error("There is nothing to be like.");
        const { id: _, ...rest } = one;
        const moment = new Date(began + at * APART).toISOString();
        const length = 3 + ((at * 7) % 40);
        const text = Array.from({ length }, (_none, word) => words[(at + word * 5) % words.length]).join(" ");
        await store.messages.add({
          ...rest,
          // Places of this conversation begin at 1: so these stand before all others, in the order of their ids.
          seq: 0,
          client_id: crypto.randomUUID(),
          text: `Old ${String(at)}: ${text}`,
          ...{ sent_at: moment, received_at: moment, created_at: moment },
        });
      }
    });
  }
  await vault.close();
};
