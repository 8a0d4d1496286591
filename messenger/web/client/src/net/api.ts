/** A method for each call of the wire contract that the client makes, in the wire's own types. */

import * as auth from "../wire/auth.ts";
import { items } from "../wire/basics.ts";
import { ID, type Codec } from "../wire/codec.ts";
import * as talks from "../wire/conversations.ts";
import * as keys from "../wire/keys.ts";
import { PREFERENCES, type Preferences } from "../wire/preferences.ts";
import { PUSH_STATE, PUSH_TARGET, type PushState, type PushTarget } from "../wire/push.ts";
import * as vault from "../wire/vault.ts";
import { BadAnswer } from "./errors.ts";
import { type Asking, type Http, type Token, json } from "./http.ts";

/** Pages of one list, at most. */
const PAGES = 1_000;

/** The calls of one device's session. All may throw SessionEnded. */
export class Api {
  readonly #http: Http;
  readonly #token: Token;

  constructor(http: Http, token: Token) {
    this.#http = http;
    this.#token = token;
  }

  #get<T>(path: string, codec: Codec<T>, query: Asking["query"] = {}, signal?: AbortSignal): Promise<T> {
    return this.#http.call({ path, query, token: this.#token, signal }, codec);
  }

  #ask<T>(
    method: string,
    path: string,
    codec: Codec<T>,
    body?: Pick<Asking, "body" | "headers">,
  ): Promise<T> {
    return this.#http.call({ method, path, ...body, token: this.#token }, codec);
  }

  #tell(method: string, path: string, body?: Pick<Asking, "body" | "headers">): Promise<void> {
    return this.#http.tell({ method, path, ...body, token: this.#token });
  }

  // account

  me(signal?: AbortSignal): Promise<auth.User> {
    return this.#get("/auth/me", auth.USER, {}, signal);
  }

  logout(): Promise<void> {
    return this.#tell("POST", "/auth/logout");
  }

  deleteAccount(password: string): Promise<void> {
    return this.#tell("DELETE", "/auth/me", json(auth.ACCOUNT_DELETION, { password }));
  }

  changePassword(current: string, fresh: string, kdf: auth.Kdf): Promise<void> {
    const body = { current_password: current, new_password: fresh, kdf };
    return this.#tell("POST", "/auth/password", json(auth.PASSWORD_CHANGE, body));
  }

  beginTotp(password: string): Promise<auth.TotpSecret> {
    return this.#ask("POST", "/auth/totp", auth.TOTP_SECRET, json(auth.PASSWORD_ONCE_MORE, { password }));
  }

  /** The recovery codes. */
  async confirmTotp(code: string): Promise<string[]> {
    const body = json(auth.TOTP_CODE, { code });
    return (await this.#ask("POST", "/auth/totp/confirm", auth.RECOVERY_CODES, body)).recovery_codes;
  }

  removeTotp(password: string): Promise<void> {
    return this.#tell("DELETE", "/auth/totp", json(auth.PASSWORD_ONCE_MORE, { password }));
  }

  async devices(): Promise<auth.Device[]> {
    return (await this.#get("/auth/devices", auth.DEVICES)).items;
  }

  removeDevice(deviceId: string): Promise<void> {
    return this.#tell("DELETE", `/auth/devices/${id(deviceId)}`);
  }

  /** Opens one WebSocket, once. */
  ticket(signal?: AbortSignal): Promise<auth.Ticket> {
    const asking = { method: "POST", path: "/auth/ticket", token: this.#token, signal };
    return this.#http.call(asking, auth.TICKET);
  }

  // users

  async userNamed(username: string): Promise<auth.User | null> {
    return (await this.#get("/users", auth.USERS, { username })).items[0] ?? null;
  }

  async lookup(userIds: readonly string[]): Promise<auth.User[]> {
    const body = json(auth.USER_LOOKUP, { user_ids: [...userIds] });
    return (await this.#ask("POST", "/users/lookup", auth.USERS, body)).items;
  }

  async blocks(): Promise<string[]> {
    return (await this.#get("/blocks", items(ID))).items;
  }

  block(userId: string, blocked: boolean): Promise<void> {
    return this.#tell(blocked ? "PUT" : "DELETE", `/blocks/${id(userId)}`);
  }

  preferences(): Promise<Preferences> {
    return this.#get("/preferences", PREFERENCES);
  }

  setPreferences(preferences: Preferences): Promise<void> {
    return this.#tell("PUT", "/preferences", json(PREFERENCES, preferences));
  }

  // keys

  putIdentity(identityKey: Uint8Array): Promise<void> {
    return this.#tell("PUT", "/keys/identity", json(keys.IDENTITY_KEY, { identity_key: identityKey }));
  }

  putSignedPrekey(prekey: keys.SignedPrekey): Promise<void> {
    return this.#tell("PUT", "/keys/signed-prekey", json(keys.SIGNED_PREKEY, prekey));
  }

  /** How many there are now. */
  async postOneTimePrekeys(prekeys: readonly keys.OneTimePrekey[]): Promise<number> {
    const body = json(keys.ONE_TIME_PREKEYS, { prekeys: [...prekeys] });
    const path = "/keys/one-time-prekeys";
    return (await this.#ask("POST", path, keys.ONE_TIME_PREKEY_COUNT, body)).one_time_prekeys;
  }

  /** How many there are now. */
  async postKemPrekeys(prekeys: keys.KemPrekeys): Promise<number> {
    const body = json(keys.KEM_PREKEYS, { ...prekeys, prekeys: [...prekeys.prekeys] });
    return (await this.#ask("POST", "/keys/kem-prekeys", keys.KEM_PREKEY_COUNT, body)).kem_prekeys;
  }

  keyStatus(): Promise<keys.KeyStatus> {
    return this.#get("/keys/status", keys.KEY_STATUS);
  }

  identities(userId: string): Promise<keys.Identities> {
    return this.#get(`/keys/identity/${id(userId)}`, keys.IDENTITIES);
  }

  /** Takes one one-time prekey from each, so it is never sent again but by who calls. */
  async claim(deviceIds: readonly string[]): Promise<keys.Bundle[]> {
    const body = json(keys.CLAIM, { devices: [...deviceIds] });
    return (await this.#ask("POST", "/keys/claim", keys.BUNDLES, body)).items;
  }

  putDeviceList(list: keys.DeviceList): Promise<void> {
    return this.#tell("PUT", "/keys/device-list", json(keys.DEVICE_LIST, list));
  }

  // conversations

  createConversation(body: talks.NewConversation): Promise<talks.Conversation> {
    const given = json(talks.NEW_CONVERSATION, body);
    return this.#ask("POST", "/conversations", talks.CONVERSATION, given);
  }

  conversation(conversationId: string): Promise<talks.Conversation> {
    return this.#get(`/conversations/${id(conversationId)}`, talks.CONVERSATION);
  }

  /** All of them, a page at a time. */
  async *conversations(): AsyncGenerator<talks.Conversation[], void> {
    let query: { limit: number; cursor?: string } = { limit: 200 };
    for (let count = 0; count < PAGES; count += 1) {
      const { items: found, next } = await this.#get("/conversations", talks.CONVERSATIONS, query);
      yield found;
      if (next === null) return;
      query = { limit: 200, cursor: next };
    }
    throw new BadAnswer("The list of conversations has no end.");
  }

  updateConversation(conversationId: string, update: talks.ConversationUpdate): Promise<talks.Conversation> {
    const body = json(talks.CONVERSATION_UPDATE, update);
    return this.#ask("PATCH", `/conversations/${id(conversationId)}`, talks.CONVERSATION, body);
  }

  async members(conversationId: string): Promise<talks.Member[]> {
    return (await this.#get(`/conversations/${id(conversationId)}/members`, talks.MEMBERS)).items;
  }

  addMember(conversationId: string, userId: string, role: talks.Role): Promise<void> {
    const body = json(talks.NEW_MEMBER, { user_id: userId, role });
    return this.#tell("POST", `/conversations/${id(conversationId)}/members`, body);
  }

  setRole(conversationId: string, userId: string, role: talks.Role): Promise<void> {
    const path = `/conversations/${id(conversationId)}/members/${id(userId)}`;
    return this.#tell("PATCH", path, json(talks.ROLE_CHANGE, { role }));
  }

  removeMember(conversationId: string, userId: string): Promise<void> {
    return this.#tell("DELETE", `/conversations/${id(conversationId)}/members/${id(userId)}`);
  }

  conversationDevices(conversationId: string): Promise<talks.ConversationDevices> {
    return this.#get(`/conversations/${id(conversationId)}/devices`, talks.CONVERSATION_DEVICES);
  }

  /** For who can't have a socket; else a `send` frame. */
  send(conversationId: string, draft: talks.Draft): Promise<talks.Sent> {
    const path = `/conversations/${id(conversationId)}/messages`;
    return this.#ask("POST", path, talks.SENT, json(talks.DRAFT, draft));
  }

  /** Up to `limit` (200) after a place, or below one, by rising `seq`; own ones included. */
  async messages(
    conversationId: string,
    from: ({ readonly after: number } | { readonly before: number }) & { readonly limit?: number },
    signal?: AbortSignal,
  ): Promise<talks.Message[]> {
    const path = `/conversations/${id(conversationId)}/messages`;
    return (await this.#get(path, talks.MESSAGES, { limit: 200, ...from }, signal)).items;
  }

  /** Up to 200 after a number. */
  async changes(conversationId: string, after: number): Promise<talks.Change[]> {
    const path = `/conversations/${id(conversationId)}/changes`;
    return (await this.#get(path, talks.CHANGES, { after, limit: 200 })).items;
  }

  deleteMessage(conversationId: string, seq: number): Promise<void> {
    return this.#tell("DELETE", `/conversations/${id(conversationId)}/messages/${String(seq)}`);
  }

  // vault

  async vaultNames(): Promise<vault.VaultName[]> {
    return (await this.#get("/vault", vault.VAULT_NAMES)).items;
  }

  vaultItem(name: string): Promise<vault.VaultItem> {
    return this.#get(`/vault/${encodeURIComponent(name)}`, vault.VAULT_ITEM);
  }

  /** The version that it has now. `over`: the version that has to stand, null for none; else Refused (412). */
  async putVault(name: string, content: Uint8Array, over?: number | null): Promise<number> {
    const { headers, ...body } = json(vault.VAULT_CONTENT, { content });
    const when: Record<string, string> =
      over === undefined
        ? {}
        : over === null
          ? { "If-None-Match": "*" }
          : { "If-Match": `"${String(over)}"` };
    const given = { ...body, headers: { ...headers, ...when } };
    return (await this.#ask("PUT", `/vault/${encodeURIComponent(name)}`, vault.VAULT_VERSION, given)).version;
  }

  deleteVault(name: string): Promise<void> {
    return this.#tell("DELETE", `/vault/${encodeURIComponent(name)}`);
  }

  // push

  pushState(): Promise<PushState> {
    return this.#get("/push", PUSH_STATE);
  }

  subscribe(target: PushTarget): Promise<void> {
    return this.#tell("PUT", "/push", json(PUSH_TARGET, target));
  }

  unsubscribe(): Promise<void> {
    return this.#tell("DELETE", "/push");
  }
}

/** An id for a path: what is none could name another call. Misfit. */
function id(text: string): string {
  return ID.read(text);
}
