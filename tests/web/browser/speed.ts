/** How fast the store is in a browser (docs/contributing.md says how to run it). No test: it asserts nothing. */

import { test } from "node:test";

import { Progress } from "../../../messenger/web/client/src/e2e/index.ts";
import { type Store, Vault } from "../../../messenger/web/client/src/engine/vault.ts";
import { World } from "../engine/world.ts";
import { PHONE, TALK, message, profile, said } from "../store/world.ts";

/** All that some messages ask for, at once: then it is in memory, also that there is nothing. */
async function ask(store: Store, numbers: readonly number[]): Promise<void> {
  const asked = numbers.flatMap((number) => [
    store.places.at(TALK, number),
    store.messages.find(message(number)),
  ]);
  await Promise.all(asked);
}

/** What a client does in its store for a message that comes in. */
async function take(store: Store, number: number): Promise<void> {
  const one = message(number, { text: "x".repeat(100) });
  await store.conversations.get(TALK);
  await store.places.put(one, number, number);
  await store.messages.find(one);
  const name = `${TALK}/${PHONE}`;
  const progress = (await store.states.get(Progress, name)) ?? Progress.none();
  progress.see(number, false);
  store.states.save(name, progress);
  const id = await store.messages.add(one);
  const stored = await store.messages.get(id);
  if (stored !== undefined) await store.tell({ event: "message_received", message: stored });
  await store.conversations.set(TALK, { place: number, activity: number });
}

for (const [count, batch] of [
  [300, 1],
  [1_000, 20],
  [1_000, 100],
] as const) {
  test(`${String(count)} messages are taken in, ${String(batch)} in a transaction`, async (context) => {
    const { vault } = await profile();
    await vault.run((store) => store.conversations.take(said()));
    const began = performance.now();
    const waits: number[] = [];
    for (let first = 1; first <= count; first += batch) {
      const from = performance.now();
      await vault.run(async (store) => {
        const numbers = Array.from({ length: batch }, (_, at) => first + at);
        await ask(store, numbers);
        for (const number of numbers) await take(store, number);
      });
      waits.push(performance.now() - from);
    }
    const took = performance.now() - began;
    waits.sort((one, other) => one - other);
    const [middle = 0, late = 0] = [0.5, 0.95].map((part) => waits[Math.floor(part * waits.length)]);
    context.diagnostic(
      `${took.toFixed(0)} ms; a transaction p50 ${middle.toFixed(1)} ms, p95 ${late.toFixed(1)} ms`,
    );
    await vault.close();
  });
}

test("a profile of 10,000 messages is opened, and a conversation read", async (context) => {
  const { name, vault } = await profile();
  await vault.run((store) => store.conversations.take(said()));
  for (let first = 1; first <= 10_000; first += 200) {
    await vault.run(async (store) => {
      for (let number = first; number < first + 200; number += 1) await take(store, number);
    });
  }
  await vault.close();
  const began = performance.now();
  const opened = await Vault.open(name, null);
  const at = performance.now();
  await opened.run(async ({ conversations, messages }) => {
    await conversations.shown();
    await messages.unread(TALK, 9_000);
    await messages.history(TALK, 50);
  });
  const read = performance.now();
  context.diagnostic(
    `${(at - began).toFixed(0)} ms to open, ${(read - at).toFixed(0)} ms to read the last 50 and count 1,000 unread`,
  );
  await opened.close();
});

for (const kind of ["direct", "group"] as const) {
  test(`a backlog of 1,000 messages of a ${kind} conversation is opened and stored`, async (context) => {
    const world = new World();
    const [alice, bob] = [await world.desk("alice"), await world.desk("bob")];
    const talk = await (kind === "group" ? world.group(alice, bob) : world.direct(alice, bob));
    await alice.say(talk, "hello");
    await world.settle(talk, alice, bob);
    const from = talk.filed.length;
    for (let count = 0; count < 1_000; count += 1) await alice.write(talk, "x".repeat(100));
    await alice.pump(talk, 1_100);
    const seqs = talk.filed.slice(from).map((one) => one.seq);
    const began = performance.now();
    // As many as one run of the inbox has.
    for (let at = 0; at < seqs.length; at += 100) {
      await bob.take(...seqs.slice(at, at + 100).map((seq) => talk.at(seq, bob)));
    }
    context.diagnostic(`${(performance.now() - began).toFixed(0)} ms`);
    if ((await bob.texts(talk)).length < 1_000) throw new Error("not all were taken in");
    await world.close();
  });
}
