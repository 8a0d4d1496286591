/** Warnings of the engine in words: what has happened, what it may mean, and what to do. */

import type { ShownWarning } from "../../worker/protocol.ts";
import type { Words } from "../words/index.ts";

/** What is to be said of one. */
export interface InWords {
  readonly happened: string;
  readonly means: string;
  readonly todo: string;
}

/** What a person can do about one, beside having seen it. */
export type Remedy = "compare" | "devices" | "members" | null;

const REMEDIES: Readonly<Record<string, Remedy>> = {
  identity_changed: "compare",
  keys_refused: "compare",
  contact_refused: "compare",
  device_waiting: "devices",
  profile_restored: "devices",
  audience_refused: "members",
  roster_differs: "members",
};

export function remedyOf({ event, username, conversation_id }: ShownWarning): Remedy {
  const remedy = Object.hasOwn(REMEDIES, event) ? (REMEDIES[event] ?? null) : null;
  if (remedy === "compare" && username === null) return null;
  return remedy === "members" && conversation_id === null ? null : remedy;
}

/** `who` is the name that it is about, fit to stand in a sentence; empty where it is about nobody. */
export function inWords(warning: ShownWarning, words: Words, who: string): InWords {
  const { kinds, somebody, identity, unknown } = words.warnings;
  const name = who === "" ? somebody : who;
  if (warning.event === "identity_changed") {
    return sentences(warning.refuses ? identity.refused : identity.accepted, name);
  }
  const known: Readonly<Record<string, Sentences>> = kinds;
  return sentences(Object.hasOwn(known, warning.event) ? (known[warning.event] ?? unknown) : unknown, name);
}

type Sentences = Readonly<Record<keyof InWords, string | ((who: string) => string)>>;

function sentences(given: Sentences, who: string): InWords {
  const say = (name: keyof InWords): string => {
    const said = given[name];
    return typeof said === "string" ? said : said(who);
  };
  return { happened: say("happened"), means: say("means"), todo: say("todo") };
}
