/**
 * All screens: where each stands in the frame, what it is called, and what draws it. A new screen gets a line in
 * `state/routes.ts`, one here, and a folder or a file beside this one.
 */

import type { JSX } from "preact";

import type { Route, ScreenName, Screens } from "../state/routes.ts";
import type { Words } from "../words/index.ts";
import { Devices } from "./devices.tsx";
import { Again } from "./entry/again.tsx";
import { NewGroup } from "./groups/fresh.tsx";
import { Group } from "./groups/group.tsx";
import { Contact } from "./people/contact.tsx";
import { Person } from "./people/person.tsx";
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
  newGroup: { slot: "sheet", title: (words) => words.group.fresh, view: () => <NewGroup /> },
  group: {
    slot: "sheet",
    title: (words) => words.group.title,
    view: ({ conversation }) => <Group key={conversation} conversation={conversation} />,
  },
  person: {
    slot: "sheet",
    title: (words) => words.people.title,
    view: ({ username }) => <Person key={username} username={username} />,
  },
  devices: { slot: "sheet", title: (words) => words.devices.title, view: () => <Devices /> },
  contact: { slot: "sheet", title: (words) => words.contact.title, view: () => <Contact /> },
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
