/**
 * Where one can be, and how that stands in the address.
 *
 * The address says which screen it is (`#talk`); what it is about, such as a conversation's id, lies in
 * the history's state alone, so that no id, name or key is ever in an address that is copied or photographed.
 */

/** All screens, each with what it has to be given. A new screen gets a line here. */
export interface Screens {
  /** The list of conversations. */
  talks: null;
  talk: { readonly conversation: string };
  /** Write to somebody new. */
  start: null;
  settings: null;
  newGroup: null;
  group: { readonly conversation: string };
  person: { readonly username: string };
  devices: null;
  /** Contact links. */
  contact: null;
  /** Log in again. */
  again: null;
}

export type ScreenName = keyof Screens;
export type Route = {
  [K in ScreenName]: { readonly screen: K; readonly given: Screens[K] };
}[ScreenName];

export const HOME: Route = { screen: "talks", given: null };

type Kept<K extends ScreenName> = (given: Readonly<Record<string, unknown>>) => Screens[K] | undefined;
const nothing = (): null => null;

/** What of the history's state each screen takes; `undefined` where that does not do. */
const READ: { readonly [K in ScreenName]: Kept<K> } = {
  talks: nothing,
  talk: ({ conversation }) =>
    typeof conversation === "string" && conversation !== "" ? { conversation } : undefined,
  start: nothing,
  settings: nothing,
  newGroup: nothing,
  group: ({ conversation }) =>
    typeof conversation === "string" && conversation !== "" ? { conversation } : undefined,
  person: ({ username }) => (typeof username === "string" && username !== "" ? { username } : undefined),
  devices: nothing,
  contact: nothing,
  again: nothing,
};

/** What stands in the address. */
export function hashOf({ screen }: Route): string {
  return screen === HOME.screen ? "#" : `#${screen}`;
}

/** Where an address with this state leads; home where it leads nowhere. */
export function routeOf(hash: string, state: unknown): Route {
  const name = hash.replace(/^#/, "");
  if (!Object.hasOwn(READ, name)) return HOME;
  const screen = name as ScreenName;
  const given: Readonly<Record<string, unknown>> =
    typeof state === "object" && state !== null ? { ...state } : {};
  const found = READ[screen](given);
  return found === undefined ? HOME : ({ screen, given: found } as Route);
}
