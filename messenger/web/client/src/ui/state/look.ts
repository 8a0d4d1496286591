/**
 * How the page looks: theme, contrast and language, where somebody chose other ones than the browser's.
 *
 * Kept in `localStorage`, so that it holds before an account is open; nothing else is.
 */

import { effect, signal } from "@preact/signals";

export interface Look {
  readonly theme: "light" | "dark" | null;
  readonly contrast: "more" | null;
  readonly language: "en" | "de" | null;
}

export const PLAIN: Look = { theme: null, contrast: null, language: null };
const CHOICES: { readonly [K in keyof Look]: readonly Look[K][] } = {
  theme: ["light", "dark"],
  contrast: ["more"],
  language: ["en", "de"],
};
const NAME = "look";

/** What was kept, as far as it is a choice that there is. */
export function readLook(kept: string | null): Look {
  let said: unknown;
  try {
    said = JSON.parse(kept ?? "null");
  } catch {
    return PLAIN; // somebody else has written there
  }
  const given: Readonly<Record<string, unknown>> =
    typeof said === "object" && said !== null ? { ...said } : {};
  const one = <K extends keyof Look>(name: K): Look[K] =>
    CHOICES[name].find((choice) => choice === given[name]) ?? PLAIN[name];
  return { theme: one("theme"), contrast: one("contrast"), language: one("language") };
}

function kept(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

export const look = signal<Look>(readLook(typeof localStorage === "undefined" ? null : kept()));

/** Choose otherwise, from now on. */
export function choose(choice: Partial<Look>): void {
  look.value = { ...look.value, ...choice };
  try {
    localStorage.setItem(NAME, JSON.stringify(look.value));
  } catch {
    // The browser keeps nothing for this page: it holds until the page is closed.
  }
}

/** Have the document follow the choice, or what the browser wishes. */
export function wear(root: HTMLElement): void {
  const wished = matchMedia("(prefers-contrast: more)");
  const isWished = signal(wished.matches);
  wished.addEventListener("change", () => {
    isWished.value = wished.matches;
  });
  effect(() => {
    const { theme, contrast } = look.value;
    const set = (name: string, value: string | null): void => {
      if (value === null) root.removeAttribute(name);
      else root.setAttribute(name, value);
    };
    set("data-theme", theme);
    set("data-contrast", isWished.value ? "more" : contrast);
  });
}
