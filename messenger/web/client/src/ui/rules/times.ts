/** Dates and times, as the browser's language writes them. */

/** The browser's own variant of a language, such as `en-GB` for `en`; else the language. */
export function localeOf(language: string, wanted: readonly string[]): string {
  return wanted.find((one) => one.toLowerCase().split("-")[0] === language) ?? language;
}

const DAY = 86_400_000;

/** How many days before `now` that was, by the local calendar. */
function daysBefore(moment: number, now: number): number {
  const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(moment)) / DAY);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(locale: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${name}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat(locale, options);
  formats.set(key, made);
  return made;
}

export function timeOf(moment: number, locale: string): string {
  return format(locale, "time", { hour: "2-digit", minute: "2-digit" }).format(moment);
}

/** All of it, for who wants to know. */
export function wholeTimeOf(moment: number, locale: string): string {
  return format(locale, "whole", { dateStyle: "full", timeStyle: "short" }).format(moment);
}

function capital(text: string, locale: string): string {
  const [first = "", ...rest] = text;
  return first.toLocaleUpperCase(locale) + rest.join("");
}

/** A day above its messages: today, yesterday, or its date. */
export function dayNameOf(moment: number, now: number, locale: string): string {
  const days = daysBefore(moment, now);
  if (days === 0 || days === 1) {
    return capital(new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-days, "day"), locale);
  }
  const isNear = days > 0 && days < 300;
  return isNear
    ? format(locale, "day", { weekday: "long", day: "numeric", month: "long" }).format(moment)
    : format(locale, "date", { day: "numeric", month: "long", year: "numeric" }).format(moment);
}

/** When something was said last, short: the time today, the weekday this week, else the date. */
export function shortTimeOf(moment: number, now: number, locale: string): string {
  const days = daysBefore(moment, now);
  if (days <= 0) return timeOf(moment, locale);
  if (days === 1) return dayNameOf(moment, now, locale);
  if (days < 7) return format(locale, "weekday", { weekday: "short" }).format(moment);
  return format(locale, "short", { day: "2-digit", month: "2-digit", year: "2-digit" }).format(moment);
}
