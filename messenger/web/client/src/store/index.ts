/**
 * The local store: one database of the browser, one account, one device, one writer.
 *
 * `unlock.ts` keeps the store's key, `sealing.ts` seals each record under it, `database.ts` is IndexedDB with
 * `schema.ts`, `table.ts` a table of sealed records as a piece of work sees it. The other modules have the tables,
 * one or two each, under the names of the Python client's: `account.ts`, `states.ts`, `conversations.ts`,
 * `places.ts`, `messages.ts`, `outbox.ts`, `history.ts`, `journal.ts`, `standing.ts`, `drafts.ts`; `export.ts` writes and reads a sealed file.
 * Transactions are the caller's (engine/vault.ts).
 */

export { Account } from "./account.ts";
export {
  type Conversation,
  Conversations,
  type Member,
  People,
  type Person,
  type SaidConversation,
  type SaidMember,
} from "./conversations.ts";
export { Database } from "./database.ts";
export { type Draft, Drafts } from "./drafts.ts";
export * as errors from "./errors.ts";
export { exportStore, importStore } from "./export.ts";
export { History } from "./history.ts";
export { Journal, type Positioned, type Told } from "./journal.ts";
export { type Message, Messages, type NewMessage, type State } from "./messages.ts";
export { type NewQueued, Outbox, type Queued, type Target } from "./outbox.ts";
export { type Named, PLACES_KEPT, type Place, Places } from "./places.ts";
export { type Standing, Warnings } from "./standing.ts";
export { States, type Storable } from "./states.ts";
export { type Lock, type Locks, type Unlock } from "./unlock.ts";
