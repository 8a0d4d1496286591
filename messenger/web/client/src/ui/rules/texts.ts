/** Texts of others: what in them is a link, and how they stand in a sentence. */

export interface Piece {
  readonly text: string;
  /** Where it leads; null for what is no link. */
  readonly link: string | null;
}

const LINK = /https?:\/\/[^\s<>"'\u0000-\u001f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069]+/giu;
const TRAILING = /[.,;:!?)\]}…]+$/u;
const MOST = 100; // links of one text

/** A text in pieces. A link says where it leads: there is no other text for it. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    if (pieces.length > 2 * MOST) break;
    const said = trimmed(found[0]);
    const link = hrefOf(said);
    if (link === null) continue;
    if (found.index > end) pieces.push({ text: text.slice(end, found.index), link: null });
    pieces.push({ text: said, link });
    end = found.index + said.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end), link: null });
  return pieces;
}

/** Without the sign that ends the sentence; a bracket that was opened in it stays closed. */
function trimmed(link: string): string {
  const said = link.replace(TRAILING, "");
  return link[said.length] === ")" && said.includes("(") && !said.includes(")") ? `${said})` : said;
}

function hrefOf(said: string): string | null {
  try {
    return new URL(said).href;
  } catch {
    return null; // it only looks like one
  }
}

const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** What others have chosen, for a sentence or a label of ours: it can't turn round what stands beside it. */
export function isolated(text: string): string {
  return `\u2068${text.replace(CONTROLS, " ").trim()}\u2069`;
}

/** The beginning of a text, in one line. */
export function lineOf(text: string): string {
  return text.slice(0, 200).replace(/\s+/gu, " ").trim();
}

/** A letter that stands for a name. */
export function initialOf(name: string): string {
  const [first = "?"] = name.replace(CONTROLS, "").trim();
  return first.toUpperCase();
}

/** One of so many colours, the same for the same name. */
export function hueOf(name: string, many: number): number {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65_521;
  return sum % many;
}
