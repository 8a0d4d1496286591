/**
 * All screens: where each stands in the frame, what it is called, and what draws it. A new screen gets a line in
 * `state/routes.ts`, one here, and a folder or a file beside this one.
 */

import type { JSX } from "preact";

import type { Route, ScreenName, Screens } from "../state/routes.ts";
import type { Words } from "../words/index.ts";
import { Again } from "./entry/again.tsx";
import { Settings } from "./settings.tsx";
import { Start } from "./start.tsx";
import { Talk } from "./talk/talk.tsx";

/** In the main pane, or in a sheet over it; `side` is the list, which stands beside the main pane where there is room. */
export type Slot = "side" | "main" | "sheet";

interface Screen<K extends ScreenName> {
  readonly slot: Slot;
  /** For the window's title, and the head of a sheet. */
  readonly title: (words: Words) => string;
  readonly view: (given: Screens[K]) => JSX.Element | null;
}

const SCREENS: { readonly [K in ScreenName]: Screen<K> } = {
  talks: { slot: "side", title: (words) => words.talks.title, view: () => null },
  talk: {
    slot: "main",
    title: (words) => words.talks.title,
    view: ({ conversation }) => <Talk key={conversation} conversation={conversation} />,
  },
  start: { slot: "sheet", title: (words) => words.start.title, view: () => <Start /> },
  again: { slot: "sheet", title: (words) => words.entry.login, view: () => <Again /> },
  settings: { slot: "sheet", title: (words) => words.settings.title, view: () => <Settings /> },
};

export function slotOf({ screen }: Route): Slot {
  return SCREENS[screen].slot;
}

export function titleOf({ screen }: Route, words: Words): string {
  return SCREENS[screen].title(words);
}

export function viewOf(route: Route): JSX.Element | null {
  const { view } = SCREENS[route.screen];
  return view(route.given as never);
}
