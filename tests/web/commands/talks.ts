/** Commands about conversations: who is in them, and what is said. */

import { openAsBlob } from "node:fs";
import { open, rename } from "node:fs/promises";

import { type Known, decodeBody } from "../../../messenger/web/client/src/e2e/bodies.ts";
import { beginBatch } from "../../../messenger/web/client/src/engine/batch.ts";
import * as client from "../../../messenger/web/client/src/engine/index.ts";
import { queue } from "../../../messenger/web/client/src/engine/queueing.ts";
import { currentRoster } from "../../../messenger/web/client/src/engine/rosters.ts";
import { blobSource } from "../../../messenger/web/client/src/net/files.ts";
import { hex } from "../../../messenger/web/client/src/wire/bytes.ts";
import { type Commands, type Said, engineOf, text } from "./running.ts";

const authoring = (said: Said): client.Authoring => new client.Authoring(engineOf(said), text(said, "talk"));
const group = (said: Said): client.Group => new client.Group(engineOf(said), text(said, "talk"));

async function messageOf(said: Said) {
  const id = Number(said["message"]);
  const found = await engineOf(said).vault.run((store) => store.messages.get(id));
  if (found === undefined) throw new TypeError("There is no such message.");
  return found;
}

/** How far the last upload has come. */
let sent = 0;
let moved: () => void = () => undefined;

export const TALKS: Commands = {
  direct: (said) => client.direct(engineOf(said), text(said, "username")),
  group: (said) => client.createGroup(engineOf(said), text(said, "title"), said["members"] as string[]),
  conversations: (said) =>
    engineOf(said).vault.run(async (store) => {
      const rows = await store.conversations.shown();
      return Promise.all(
        rows.map(async (row) => ({
          ...row,
          peer: row.peer_id === null ? null : await store.people.name(row.peer_id),
        })),
      );
    }),
  members: (said) => group(said).members(),
  add_member: (said) => group(said).add(text(said, "username")),
  remove_member: (said) => group(said).remove(text(said, "username")),
  set_role: (said) =>
    group(said).setRole(text(said, "username"), text(said, "role") as "admin" | "member" | "owner"),
  rename: (said) => group(said).rename(text(said, "title")),
  leave: (said) => group(said).leave(),
  look: (said) => client.look(engineOf(said), text(said, "talk")),
  enqueue: (said) => authoring(said).enqueue(text(said, "text")),
  send: async (said) => {
    const reply =
      said["reply_to"] === undefined ? undefined : await messageOf({ ...said, message: said["reply_to"] });
    return authoring(said).send(text(said, "text"), reply);
  },
  /** A body that a client says of its own accord, or a newer one does. */
  say: async (said) => {
    const engine = engineOf(said);
    const body = decodeBody(text(said, "body")) as Known;
    const batch = beginBatch(engine.clock.now());
    await engine.vault.run((store) => queue(store, batch, text(said, "talk"), body));
    engine.sending.wake(text(said, "talk"));
  },
  edit: async (said) => authoring(said).edit(await messageOf(said), text(said, "text")),
  delete: async (said) => authoring(said).remove(await messageOf(said)),
  /** The server is told to, and no peer. */
  delete_at_server: async (said) => {
    const { conversation_id, seq } = await messageOf(said);
    return engineOf(said).api.deleteMessage(conversation_id, seq ?? 0);
  },
  timer: (said) => authoring(said).setTimer(said["expires_in"] as number | null),
  message: messageOf,
  history: (said) =>
    engineOf(said).vault.run(async (store) => {
      const found = await store.messages.history(text(said, "talk"), 1_000);
      return Promise.all(
        found.map(async (one) => ({ ...one, sender: await store.people.name(one.sender_id) })),
      );
    }),
  outbox: (said) =>
    engineOf(said).vault.run(async (store) => {
      const found = await store.outbox.bodies();
      return found.map((one) => decodeBody(one.body).type);
    }),
  roster: (said) =>
    engineOf(said).vault.run(async (store) => {
      const standing = await currentRoster(store, text(said, "talk"));
      return standing && { version: standing.version, digest: hex(standing.digest) };
    }),
  read: (said) => client.markRead(engineOf(said), text(said, "talk")),
  typing: (said) => {
    client.typing(engineOf(said), text(said, "talk"));
  },
  confirm: (said) => group(said).confirm(text(said, "username")),
  send_file: async (said) => {
    const file = {
      source: blobSource(await openAsBlob(text(said, "path"))),
      name: text(said, "name"),
      mediaType: "text/plain",
      progress: (done: number) => {
        sent = done;
        moved();
      },
    };
    return authoring(said).settled(await client.sendFile(engineOf(said), text(said, "talk"), file));
  },
  until_sent: async (said) => {
    while (sent < Number(said["bytes"])) await new Promise<void>((resolve) => (moved = resolve));
  },
  fetch_file: async (said) => {
    const message = await messageOf(said);
    const { file } = message;
    if (file === null) throw new TypeError("The message holds no file.");
    // All of it, or nothing: that it is whole is known once it has ended.
    const path = text(said, "path");
    const into = await open(`${path}.part`, "w");
    try {
      for await (const part of client.fetchFile(engineOf(said), { ...message, file })) await into.write(part);
    } finally {
      await into.close();
    }
    await rename(`${path}.part`, path);
  },
};
