/** A device that runs the engine's own rules on a real store, without a connection. */

import { AccountKey } from "../../../messenger/web/client/src/e2e/account.ts";
import type { Known, RosterMember } from "../../../messenger/web/client/src/e2e/bodies.ts";
import { newPayload } from "../../../messenger/web/client/src/e2e/payload.ts";
import type { DeviceKeys } from "../../../messenger/web/client/src/e2e/prekeys.ts";
import { adopt, makeKeys } from "../../../messenger/web/client/src/engine/approval.ts";
import { written } from "../../../messenger/web/client/src/engine/authoring.ts";
import { beginSessions, learn, nameUser } from "../../../messenger/web/client/src/engine/directory.ts";
import { isWarning } from "../../../messenger/web/client/src/engine/events.ts";
import { takeConversation } from "../../../messenger/web/client/src/engine/listing.ts";
import { propose } from "../../../messenger/web/client/src/engine/membership.ts";
import { Behind } from "../../../messenger/web/client/src/engine/opening.ts";
import { listedDevice, queue } from "../../../messenger/web/client/src/engine/queueing.ts";
import { currentRoster } from "../../../messenger/web/client/src/engine/rosters.ts";
import { Asked, type Durable, attempt } from "../../../messenger/web/client/src/engine/run.ts";
import { Needs, Waits, seal } from "../../../messenger/web/client/src/engine/sealing.ts";
import { type Store, Vault } from "../../../messenger/web/client/src/engine/vault.ts";
import type { Positioned } from "../../../messenger/web/client/src/store/journal.ts";
import type { Message as Stored } from "../../../messenger/web/client/src/store/messages.ts";
import { encode } from "../../../messenger/web/client/src/wire/codec.ts";
import { DRAFT, type Message } from "../../../messenger/web/client/src/wire/conversations.ts";
import type {
  Bundle,
  DeviceList,
  Identities,
  KemPrekeys,
  OneTimePrekey,
} from "../../../messenger/web/client/src/wire/keys.ts";
import { freshName } from "../store/world.ts";
import { MOMENT, type Talk } from "./talk.ts";
import type { World } from "./world.ts";

const MOST_TURNS = 20;

/** A user with an account key, and what the server has of the user's devices. */
export class User {
  readonly userId = crypto.randomUUID();
  readonly name: string;
  account = AccountKey.create();
  readonly desks: Desk[] = [];
  #version = 0;
  #listed = "";
  #list: DeviceList | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The signed list of the devices there are; a new version where they or the account key changed. */
  list(): DeviceList {
    const devices = new Map(this.desks.map((one) => [one.deviceId, one.identityKey]));
    const listed = [...this.account.public, ...devices.keys()].join(" ");
    if (this.#list !== undefined && listed === this.#listed) return this.#list;
    this.#version += 1;
    this.#listed = listed;
    this.#list = this.account.signList(this.userId, this.#version, devices);
    return this.#list;
  }

  identities(): Identities {
    const items = this.desks.map((one) => ({ device_id: one.deviceId, identity_key: one.identityKey }));
    return { device_list: this.list(), items };
  }
}

/** One device at work, without its connection. */
export class Desk {
  readonly world: World;
  readonly user: User;
  readonly deviceId = crypto.randomUUID();
  readonly vault: Vault;
  identityKey: Uint8Array = new Uint8Array();
  readonly #read = new Map<string, number>();
  readonly #learned = new Map<string, DeviceList>();
  #oneTime: OneTimePrekey[] = [];
  #kem: KemPrekeys = { prekeys: [], last_resort: null };

  private constructor(world: World, user: User, vault: Vault) {
    this.world = world;
    this.user = user;
    this.vault = vault;
  }

  static async make(world: World, user: User): Promise<Desk> {
    const desk = new Desk(world, user, await Vault.create(freshName(), null, () => world.now * 1_000));
    await desk.run(async (store) => {
      store.account.set("user_id", user.userId);
      store.account.set("device_id", desk.deviceId);
      await makeKeys(store, false, world.now);
      await adopt(store, user.account);
      const keys = await store.keys();
      desk.identityKey = keys.identityKey;
      desk.#oneTime = keys.newOneTimePrekeys(10);
      desk.#kem = keys.newKemPrekeys(2, true, world.now);
      store.states.save("own", keys);
    });
    user.desks.push(desk);
    return desk;
  }

  run<T>(work: (store: Store) => Promise<T> | T): Promise<T> {
    return this.vault.run(work);
  }

  keys(): Promise<DeviceKeys> {
    return this.run((store) => store.keys());
  }

  /** A bundle as the key service gives it. */
  async bundle(): Promise<Bundle> {
    const last = this.#kem.last_resort;
    if (last === null) throw new TypeError("There is no KEM prekey.");
    const signed = (await this.keys()).signedPrekey();
    return {
      user_id: this.user.userId,
      device_id: this.deviceId,
      identity_key: this.identityKey,
      signed_prekey: signed,
      one_time_prekey: this.#oneTime.shift() ?? null,
      kem_prekey: last,
      list_version: this.user.list().version,
    };
  }

  // what the server is asked

  async learn(userId: string): Promise<void> {
    const user = this.world.users.get(userId);
    if (user === undefined || this.#learned.get(userId) === user.list()) return;
    this.#learned.set(userId, user.list());
    await this.run((store) => learn(store, userId, user.identities(), "warn", this.world.now));
  }

  /** Have a conversation and its members as the server names them. */
  async know(talk: Talk, peer?: User): Promise<void> {
    await this.run(async (store) => {
      for (const user of this.world.users.values()) await nameUser(store, user.userId, user.name);
      const meant = peer === undefined ? {} : { peer: peer.userId };
      await takeConversation(store, talk.said(this), talk.members(), meant);
    });
  }

  // taking in

  /** Take frames in as `Inbox` does. */
  async take(...found: readonly Durable[]): Promise<void> {
    const asked = new Asked();
    for (;;) {
      const done = await this.#attempt(found, asked);
      if (done === undefined) continue;
      if (done.done) return;
      for (const one of done.conversations) {
        asked.conversations.add(one);
        const talk = this.world.talks.get(one);
        if (talk !== undefined) await this.know(talk);
      }
      for (const one of done.users) asked.names.add(one);
      for (const [userId, deviceId] of done.senders) asked.senders.add(`${userId}/${deviceId}`);
      for (const one of new Set([...done.users, ...done.senders.map(([userId]) => userId)]))
        await this.learn(one);
      for (const [one, holes] of done.holes) {
        asked.filled.add(one);
        const talk = this.world.talks.get(one);
        if (talk !== undefined) await this.#fill(talk, holes);
      }
    }
  }

  async #attempt(found: readonly Durable[], asked: Asked) {
    const batch = this.world.batch(asked.users);
    try {
      return await this.run((store) => attempt(store, batch, found, asked));
    } catch (error) {
      if (!(error instanceof Behind)) throw error;
      asked.users.add(error.userId);
      await this.learn(error.userId);
      return undefined;
    }
  }

  async #fill(talk: Talk, holes: readonly number[]): Promise<void> {
    const shown = holes.filter((seq) => seq <= talk.filed.length && talk.shows(seq, this));
    if (shown.length === 0) return;
    for (const user of talk.users) await this.learn(user.userId);
    const frames = shown.map((seq) => talk.at(seq, this));
    await this.run((store) => attempt(store, this.world.batch(), frames, new Asked([talk.conversationId])));
  }

  /** Take in all that was filed since, one after the other. */
  async sync(talk: Talk): Promise<void> {
    const read = this.#read.get(talk.conversationId) ?? 0;
    this.#read.set(talk.conversationId, talk.filed.length);
    for (let seq = read + 1; seq <= talk.filed.length; seq += 1) {
      if (talk.shows(seq, this)) await this.take(talk.at(seq, this));
    }
  }

  /** Take a place as the server lies about it, and count it as read. */
  async shown(talk: Talk, seq: number, lies: Partial<Message> = {}): Promise<void> {
    await this.take(talk.at(seq, this, lies));
    this.#read.set(talk.conversationId, Math.max(seq, this.#read.get(talk.conversationId) ?? 0));
  }

  // sending

  /** Send what waits, as a lane of `Sending` does; the places. Waits. */
  async pump(talk: Talk, most = 10 * MOST_TURNS): Promise<number[]> {
    const places: number[] = [];
    for (let turn = 0; turn < most; turn += 1) {
      const queued = await this.run((store) => store.outbox.first(talk.conversationId));
      if (queued === undefined) return places;
      const { client_id: ref } = queued;
      const draft = await this.#draft(talk, ref);
      if (draft === undefined) continue;
      await this.run((store) => store.outbox.tried(ref));
      const seq = talk.file(this, draft);
      places.push(seq);
      await this.take({ type: "sent", ref, conversation_id: talk.conversationId, seq, created_at: MOMENT });
    }
    throw new Error("the lane never ends");
  }

  async #draft(talk: Talk, clientId: string): Promise<Uint8Array | undefined> {
    const asked = new Set<string>();
    for (const user of talk.users) await this.learn(user.userId);
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      try {
        return await this.run((store) => seal(store, this.world.batch(asked), clientId, talk.view()));
      } catch (error) {
        if (!(error instanceof Needs)) throw error;
        for (const one of error.users) {
          asked.add(one);
          await this.learn(one);
        }
        const bundles: Bundle[] = [];
        for (const desk of this.world.desks) {
          if (error.devices.includes(desk.deviceId)) bundles.push(await desk.bundle());
        }
        await this.run(async (store) => {
          await beginSessions(store, bundles, this.world.now);
          await store.outbox.begun(clientId);
        });
      }
    }
    throw new Error("sealing asks without end");
  }

  /** Whether nothing can be sent before the roster is here. */
  async waits(talk: Talk): Promise<boolean> {
    try {
      await this.pump(talk);
      return false;
    } catch (error) {
      if (error instanceof Waits) return true;
      throw error;
    }
  }

  /** Queue a text, as a page does. */
  write(talk: Talk, text: string, clientId?: string): Promise<Stored> {
    const now = this.world.now * 1_000;
    return this.run((store) =>
      written(store, talk.conversationId, { type: "text", text }, 1_000, now, clientId),
    );
  }

  /** Write a text and have it filed; its place. */
  async say(talk: Talk, text = "hello"): Promise<number> {
    await this.write(talk, text);
    return (await this.pump(talk)).at(-1) ?? 0;
  }

  /** Say something else, to all or to some devices; its place. */
  async tell(talk: Talk, body: Known, targets?: readonly Desk[]): Promise<number> {
    await this.run(async (store) => {
      const found = [];
      for (const one of targets ?? []) {
        const device = listedDevice(await store.known(one.user.userId), one.deviceId);
        if (device !== undefined) found.push(device);
      }
      await queue(
        store,
        this.world.batch(),
        talk.conversationId,
        body,
        targets === undefined ? undefined : found,
      );
    });
    return (await this.pump(talk)).at(-1) ?? 0;
  }

  /** Send one device what no honest client would, in a session with it; its place. */
  async forge(talk: Talk, body: Known, to: Desk, kind = "control", number = 0): Promise<number> {
    await this.learn(to.user.userId);
    const bundle = await to.bundle();
    const raw = await this.run(async (store) => {
      const keys = await store.keys();
      const sessions = await store.sessions(to.user.userId, to.deviceId);
      if (sessions.needsBundle(this.world.now)) sessions.start(keys, bundle, this.world.now);
      const client_id = crypto.randomUUID();
      const { listVersion: list_version } = await store.known(this.user.userId);
      const about = {
        conversation_id: talk.conversationId,
        client_id,
        kind,
        number,
        sent_at: MOMENT,
        list_version,
      };
      const content = sessions.seal(keys, newPayload(keys, about, body));
      store.states.save(to.deviceId, sessions);
      return encode(DRAFT, {
        client_id,
        kind,
        envelopes: [{ device_id: to.deviceId, content }],
        partial: true,
      });
    });
    return talk.file(this, raw);
  }

  // rosters

  /** Queue a change of the roster. */
  async change(talk: Talk, put: readonly RosterMember[], remove: readonly User[] = []): Promise<void> {
    for (const one of put) await this.learn(one.user_id);
    const gone = remove.map((one) => one.userId);
    await this.run((store) => propose(store, this.world.batch(), talk.conversationId, put, gone));
  }

  /** The names of who is in the roster that stands. */
  async roster(talk: Talk): Promise<string[] | undefined> {
    const standing = await this.run((store) => currentRoster(store, talk.conversationId));
    return standing?.members.map((one) => this.world.users.get(one.user_id)?.name ?? one.user_id).sort();
  }

  // what the page sees

  told(): Promise<Positioned[]> {
    return this.run((store) => store.journal.after(0, 10_000));
  }

  /** What was told of the server or of others: kind and reason. */
  async warnings(): Promise<string[]> {
    const found = (await this.told()).filter(isWarning);
    return found.map((one) => `${one.event}:${String(one["reason"])}`);
  }

  async texts(talk: Talk): Promise<string[]> {
    const found = await this.run((store) => store.messages.history(talk.conversationId, 1_000));
    return found.filter((one) => one.state !== "deleted").map((one) => one.text);
  }
}
