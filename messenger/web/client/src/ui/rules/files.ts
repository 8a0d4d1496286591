/** Files, as a person sees them: their names without tricks, their sizes, and which are shown as pictures. */

const CONTROLS = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu;
/** What no system takes in a name, or takes for a path. */
const FORBIDDEN = /[/\\:*?"<>|]+/g;
const MOST = 120; // letters of a name
/** Bytes of a picture that is fetched to be shown without being asked for. */
export const MOST_SHOWN = 4 * 1_048_576;

/** A name that is what it looks like: no signs that turn its letters round, such as an ending. */
export function plainName(name: string): string {
  const said = name.replace(CONTROLS, "").replace(FORBIDDEN, "_").trim().replace(/^\.+/, "");
  if (said === "") return "file";
  const letters = Array.from(said);
  if (letters.length <= MOST) return said;
  const ending = /\.[^.]{1,10}$/.exec(said)?.[0] ?? "";
  return letters.slice(0, MOST - ending.length).join("") + ending;
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** A size in the words of a language. */
export function sizeOf(bytes: number, language: string): string {
  const at = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const count = bytes / 1_000 ** at;
  const digits = at === 0 || count >= 100 ? 0 : 1;
  const style = {
    style: "unit",
    unit: UNITS[at] ?? "byte",
    unitDisplay: at === 0 ? "long" : "short",
  } as const;
  return new Intl.NumberFormat(language, { ...style, maximumFractionDigits: digits }).format(count);
}

/** What a message says of its file. */
export interface Holding {
  readonly file: { readonly size: number } | null;
  readonly width: number;
  readonly height: number;
}

/** Whether it is shown as a picture: its author says that it is one; whether it is, its bytes will say. */
export function isPicture({ file, width, height }: Holding): boolean {
  return file !== null && file.size > 0 && file.size <= MOST_SHOWN && width > 0 && height > 0;
}

/** How wide and high a place for a picture is, in steps of 1/16 of a letter, before it is there. */
export function placeOf(width: number, height: number, most: number): { width: number; height: number } {
  // Neither a line nor a tower: what is cut off stands in the file.
  const ratio = Math.min(3, Math.max(1 / 2, width / height));
  const wide = ratio >= 1 ? most : most * ratio;
  const natural = Math.max(48, Math.min(wide, width));
  return { width: Math.round(natural), height: Math.round(natural / ratio) };
}
