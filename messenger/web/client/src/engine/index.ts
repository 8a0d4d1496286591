/**
 * What runs between the network and the store: receiving, sending, trust, keys. Modules have the names of the Python
 * client's.
 *
 * Modules that take a `Store` (receiving.ts, sealing.ts, changes.ts ...) are the rules: they run in one piece of work
 * of the vault, wait for the store alone and know no network. The others fetch what the rules will need and carry out
 * what they say.
 */

export * as account from "./account.ts";
export { Authoring } from "./authoring.ts";
export * as contacts from "./contacts.ts";
export { Engine, type EngineSettings } from "./core.ts";
export * as devices from "./devices.ts";
export * as errors from "./errors.ts";
export { type ConnectionState, type Durable, type Ephemeral, type Event, isWarning } from "./events.ts";
export { type FileToSend, fetchFile, sendFile } from "./files.ts";
export { Group, type GroupMember } from "./group.ts";
export { conversation, createGroup, direct, look, markRead, setPresence, typing } from "./talks.ts";
export { Vault } from "./vault.ts";
