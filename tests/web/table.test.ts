/** A table answers alike before and after what is in it is stored. In Node, and in a browser as it is. */

import "./store/indexeddb.ts";

import assert from "node:assert/strict";
import { test } from "node:test";

import { Database, type Key } from "../../messenger/web/client/src/store/database.ts";
import { Sealer } from "../../messenger/web/client/src/store/sealing.ts";
import { META } from "../../messenger/web/client/src/store/schema.ts";
import { type Asked, type Shape, Table, coded, compare } from "../../messenger/web/client/src/store/table.ts";
import { members, text, whole } from "../../messenger/web/client/src/wire/codec.ts";
import { freshName } from "./store/world.ts";

test("keys are in IndexedDB's order", () => {
  const keys: Key[] = [-1, 0, 2, 10, "", "10", "2", "a", "é", [], [0], [0, 1], [0, "a"], ["a"], ["a", []]];
  keys.push([[]], [[], 1]);
  for (const one of keys) {
    for (const other of keys) {
      assert.equal(Math.sign(compare(one, other)), indexedDB.cmp(one, other));
    }
  }
});

interface Thing {
  readonly id: number;
  readonly group: string;
  readonly size: number;
}

const THINGS: Shape<Thing> = {
  name: "things",
  kept: true,
  key: (thing) => thing.id,
  at: (thing, blind) => ({ size: thing.size === 0 ? null : [blind(thing.group), thing.size] }),
  ...coded(members({ id: whole(0, 1e6), group: text(), size: whole(0, 1e6) })),
};

test("a piece of work sees what it has changed itself, in the order of what is stored", async () => {
  const step = (database: IDBDatabase): void => {
    database.createObjectStore(META);
    database.createObjectStore("things", { keyPath: "key" }).createIndex("size", "at.size");
  };
  const name = freshName();
  const database = await Database.open(name, true, [step]);
  await database.setKeyRow({}, true);
  await database.claim();
  const sealer = await Sealer.of(new Uint8Array(32));
  const table = new Table(database, sealer, THINGS, () => undefined);
  let model = new Map<number, Thing>();
  let stored = new Map<number, Thing>();
  let seed = Math.floor(Math.random() * 1e6);
  const draw = (below: number): number => {
    seed = (seed * 48_271 + 7) % 2_147_483_647;
    return seed % below;
  };
  const begun = seed;
  for (let count = 0; count < 300; count += 1) {
    const where = `seed ${String(begun)}, step ${String(count)}`;
    const id = draw(20);
    const kind = draw(10);
    if (kind < 4) {
      const thing = { id, group: draw(2) === 0 ? "a" : "b", size: draw(8) };
      table.put(thing);
      model.set(id, thing);
    } else if (kind < 6) {
      table.remove(id);
      model.delete(id);
    } else if (kind === 6) {
      await database.commit(await table.changes());
      table.stored();
      stored = new Map(model);
    } else if (kind === 7) {
      table.forget();
      model = new Map(stored);
    }
    const [falling, limit, from] = [draw(2) === 0, 1 + draw(6), draw(8)];
    const things = [...model.values()].sort((one, other) => one.id - other.id);
    const asked = { limit, falling };
    const cut = (found: Thing[]): Thing[] => (falling ? found.reverse() : found).slice(0, limit);
    assert.deepEqual(await table.list(asked), cut([...things]), where);
    assert.deepEqual(await table.get(id), model.get(id), where);
    const inside = things.filter((one) => one.group === "a" && one.size > from);
    const bySize = inside.sort((one, other) => one.size - other.size || one.id - other.id);
    const bounds = { lower: [sealer.blind("a"), from], lowerOpen: true, upper: [sealer.blind("a"), []] };
    const range: Asked = { index: "size", range: bounds };
    const keys = (await table.keys(range)).sort(compare);
    assert.deepEqual(
      keys,
      bySize.map((one) => one.id).sort((one, other) => one - other),
      where,
    );
    assert.deepEqual(await table.list({ ...range, ...asked }), cut(bySize), where);
  }
  database.close();
  await Database.remove(name);
});
