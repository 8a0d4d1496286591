/**
 * What a password may be: its length, and that it is none of those that anyone would try first.
 *
 * The server's rules, word for word as messenger/wire/passwords.py has them and explains them, since what the server
 * gets is derived and says nothing: a test has both judge the same passwords. Who judges gives the words.
 */

import { codePoints, isWellFormed, utf8 } from "./bytes.ts";

const MIN_PASSWORD = 10; // bytes of UTF-8
const MAX_PASSWORD = 1_024;
const LONGEST = 32; // code points; nobody tries longer ones first
const SHORT_PERIOD = 4;
const BUDGET = 6;
const WORD = 2;
const OTHER = 1;
const MOST_WORDS = 2;
const FILLER = 4;

const LEET = [leet("oleastasibt", "013457@$!8+"), leet("oieastasibt", "013457@$|8+")];
// Python's white space, and signs between words.
const SEPARATORS = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000._,;:/+-]+/gu;
const DOUBLED = /(.)\1+/gsu;
const YEAR = /^(?:19|20)[0-9]{2}$/;
const NO_LETTER = /^[^a-zA-Z\u0080-\u{10ffff}]*$/u; // ASCII alone
const TRACKS = [
  "abcdefghijklmnopqrstuvwxyz",
  "01234567890",
  "qwertyuiop[]",
  "asdfghjkl;'",
  "zxcvbnm,./",
  "qwertzuiop",
  "yxcvbnm",
  "azertyuiop",
  "qsdfghjklm",
  "wxcvbn",
  "!@#$%^&*()_+",
  ...["1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/"],
  ...["qaz", "wsx", "edc", "rfv", "tgb", "yhn", "ujm", "zaq", "!qaz", "@wsx", "#edc"],
];
const RUNS = new Set(TRACKS.flatMap((track) => [...pieces(track), ...pieces(reversed(track))]));

/** Words that common passwords are made of. */
export type Words = ReadonlySet<string>;

/** Why `password` can't be taken for the user of this name, as a sentence; `undefined` where it can. */
export function fault(password: string, username: string, words: Words): string | undefined {
  if (!isWellFormed(password)) return "The password is not Unicode text.";
  const { length } = utf8(password);
  if (length < MIN_PASSWORD || length > MAX_PASSWORD) return "A password has 10 to 1,024 bytes of UTF-8.";
  if (isCommon(password, username, words)) return "This password is among the first that anyone would try.";
  return undefined;
}

function isCommon(password: string, username: string, words: Words): boolean {
  const folded = casefold(password.normalize("NFKC"));
  if (codePoints(folded) > LONGEST) return false;
  const names = new Set(codePoints(username) >= 3 ? [username, reversed(username)] : []);
  const variants = [folded, folded.replace(SEPARATORS, ""), folded.replace(DOUBLED, "$1")];
  return variants.some((text) => {
    const all = Array.from(text);
    const unit = period(all);
    return (
      (unit.length <= SHORT_PERIOD && unit.length < all.length) ||
      covered(unit, (piece) => names.has(piece), words)
    );
  });
}

/** Letters without their case, as Unicode folds them. */
function casefold(text: string): string {
  // One by one, since an ending sigma is another letter; the dotless i has no other case here.
  return Array.from(text, (one) => (one === "ı" ? one : one.toUpperCase().toLowerCase())).join("");
}

/** The piece that the text repeats, at least twice; all of it where it does not. */
function period(text: readonly string[]): readonly string[] {
  for (let length = 1; length <= text.length / 2; length += 1) {
    if (text.every((one, at) => at < length || one === text[at - length])) return text.slice(0, length);
  }
  return text;
}

/** Whether pieces within the budget make up all of the text. */
function covered(text: readonly string[], isName: (piece: string) => boolean, words: Words): boolean {
  // For each place: the cheapest ways to get there, by how many words and whether a filler came last.
  const ways = Array.from({ length: text.length + 1 }, () => new Map<string, Way>());
  ways[0]?.set("", { words: 0, filler: false, spent: 0 });
  for (let start = 0; start < text.length; start += 1) {
    const here = [...(ways[start]?.values() ?? [])];
    for (let end = start + 1; here.length > 0 && end <= text.length; end += 1) {
      for (const kind of kinds(text.slice(start, end).join(""), isName, words)) {
        for (const way of here) step(way, kind, ways[end]);
      }
    }
  }
  return (ways.at(-1)?.size ?? 0) > 0;
}

interface Way {
  readonly words: number;
  readonly filler: boolean;
  readonly spent: number;
}

/** Go on by one piece, unless that costs too much. */
function step(way: Way, kind: Way, there: Map<string, Way> | undefined): void {
  const next = { words: way.words + kind.words, filler: kind.filler, spent: way.spent + kind.spent };
  if (next.words > MOST_WORDS || next.spent > BUDGET || (kind.filler && way.filler)) return;
  const name = `${String(next.words)} ${String(next.filler)}`;
  if ((there?.get(name)?.spent ?? BUDGET + 1) > next.spent) there?.set(name, next);
}

/** What a piece may be, and what it costs. */
function kinds(piece: string, isName: (piece: string) => boolean, words: Words): Way[] {
  const spellings = [
    piece,
    ...LEET.map((table) => Array.from(piece, (one) => table.get(one) ?? one).join("")),
  ];
  const characters = Array.from(piece);
  const other = { words: 0, filler: false, spent: OTHER };
  const found: Way[] = [];
  const isRepeated = characters.length >= 3 && new Set(characters).size === 1;
  if (RUNS.has(piece) || YEAR.test(piece) || isRepeated || spellings.some(isName)) found.push(other);
  if (spellings.some((one) => words.has(one))) found.push({ words: 1, filler: false, spent: WORD });
  if (characters.length <= FILLER && NO_LETTER.test(piece)) found.push({ ...other, filler: true });
  return found;
}

function leet(letters: string, signs: string): ReadonlyMap<string, string> {
  return new Map(Array.from(signs, (sign, at) => [sign, letters[at] ?? sign]));
}

/** All runs of three and more along a track. */
function pieces(track: string): string[] {
  const found: string[] = [];
  for (let start = 0; start < track.length; start += 1) {
    for (let end = start + 3; end <= track.length; end += 1) found.push(track.slice(start, end));
  }
  return found;
}

function reversed(text: string): string {
  return Array.from(text).reverse().join("");
}
