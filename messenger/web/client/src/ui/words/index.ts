/** What the page says, in the language of whoever looks at it. */

import { computed } from "@preact/signals";

import { localeOf } from "../rules/times.ts";
import { look } from "../state/look.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";

export type Words = typeof en;

/** All languages; each names itself. */
export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const ALL: Readonly<Record<Language, Words>> = { en, de };

/** The first of these languages that there are words in. */
export function pick(wanted: readonly string[]): Language {
  for (const one of wanted) {
    const [name = ""] = one.toLowerCase().split("-");
    if (Object.hasOwn(ALL, name)) return name as Language;
  }
  return "en";
}

export const language = computed<Language>(() => look.value.language ?? pick(navigator.languages));
/** The words. Read in a component, it is drawn anew when another language is chosen. */
export const words = computed<Words>(() => ALL[language.value]);
/** By what dates and numbers are written. */
export const locale = computed(() => localeOf(language.value, navigator.languages));
