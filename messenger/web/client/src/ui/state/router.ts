/** Where one is now: the browser's history, as a signal. */

import { computed, signal } from "@preact/signals";

import { HOME, type Route, type ScreenName, type Screens, hashOf, routeOf } from "./routes.ts";

/** A place in the history: the screen, and for a sheet the one that it lies over. */
interface Place {
  readonly route: Route;
  readonly under: Route | null;
}

const place = signal<Place>({ route: HOME, under: null });

export const route = computed(() => place.value.route);
/** The screen under a sheet. */
export const under = computed(() => place.value.under);

interface Kept {
  readonly given?: unknown;
  readonly under?: { readonly hash: string; readonly given: unknown };
  /** How many places of this page lie before this one. */
  readonly depth?: number;
}

const kept = (): Kept => (history.state as Kept | null) ?? {};

function read(): void {
  const { given, under: below } = kept();
  place.value = {
    route: routeOf(location.hash, given),
    under: below === undefined ? null : routeOf(below.hash, below.given),
  };
}

/** Follow the browser's buttons. */
export function follow(): void {
  addEventListener("popstate", read);
  read();
}

export function routeTo<K extends ScreenName>(screen: K, given: Screens[K]): Route {
  return { screen, given } as Route;
}

/** Go somewhere; `sheet`: over what is there now; `replace`: instead of it. */
export function go(to: Route, how: { readonly sheet?: boolean; readonly replace?: boolean } = {}): void {
  const before = kept();
  const here = place.value;
  const below = how.sheet === true ? (here.under ?? here.route) : null;
  const isReplaced = how.replace === true || (how.sheet === true && here.under !== null);
  const state: Kept = {
    given: to.given,
    depth: (before.depth ?? 0) + (isReplaced ? 0 : 1),
    ...(below === null ? {} : { under: { hash: hashOf(below), given: below.given } }),
  };
  history[isReplaced ? "replaceState" : "pushState"](state, "", hashOf(to));
  place.value = { route: to, under: below };
}

/** Back to where one came from; home (or what lies under a sheet) where that is not of this page. */
export function back(): void {
  if ((kept().depth ?? 0) > 0) history.back();
  else go(place.value.under ?? HOME, { replace: true });
}
