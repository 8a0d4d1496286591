/**
 * JSON (RFC 8259), read strictly and as it is written.
 *
 * `JSON.parse` will not do for what comes from others: it takes 1.0 and 1e0 for the whole number 1, rounds what
 * is too big for it, lets lone surrogates in, and does not say how a member was spelled. Other clients refuse
 * these, and all have to judge a message alike.
 */

import { isWellFormed } from "./bytes.ts";

/** How deep arrays and objects may be nested: far more than anything of ours. */
export const MAX_DEPTH = 200;

/** An object of parsed JSON; it has no prototype. A name that is given twice stands for the last one. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Text that is no JSON. */
export class NoJson extends Error {
  override readonly name = "NoJson";
}

/** A parsed text. `spelled` says of each member of an object how its value is written. */
export interface Parsed {
  readonly value: unknown;
  readonly spelled: ReadonlyMap<string, string>;
}

/**
 * The value of a text. Whole numbers of up to 2^53 - 1 that are written in digits are numbers; all others, which
 * nothing here takes, are NaN.
 *
 * Throws NoJson, also for lone surrogates, and for what is nested over MAX_DEPTH deep.
 */
export function parse(text: string): Parsed {
  return new Parser(text).whole();
}

// Sticky: each matches at the parser's place or not at all.
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

const ESCAPED: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const WORDS: readonly (readonly [string, unknown])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  readonly #spelled = new Map<string, string>();

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Parsed {
    this.#match(SPACE);
    const value = this.#value();
    this.#match(SPACE);
    if (this.#at !== this.#text.length) this.#fail();
    return { value, spelled: this.#spelled };
  }

  #value(): unknown {
    switch (this.#text[this.#at]) {
      case "{":
        return this.#nested(() => this.#object());
      case "[":
        return this.#nested(() => this.#array());
      case '"':
        return this.#string();
      default:
        return this.#wordOrNumber();
    }
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#fail();
    this.#at += 1;
    const found = read();
    this.#depth -= 1;
    return found;
  }

  #object(): JsonObject {
    const found = Object.create(null) as Record<string, unknown>;
    this.#match(SPACE);
    if (this.#skip("}")) return found;
    do {
      this.#match(SPACE);
      const name = this.#string();
      this.#match(SPACE);
      if (!this.#skip(":")) this.#fail();
      this.#match(SPACE);
      const from = this.#at;
      found[name] = this.#value();
      if (this.#depth === 1) this.#spelled.set(name, this.#text.slice(from, this.#at));
      this.#match(SPACE);
    } while (this.#skip(","));
    if (!this.#skip("}")) this.#fail();
    return found;
  }

  #array(): readonly unknown[] {
    const found: unknown[] = [];
    this.#match(SPACE);
    if (this.#skip("]")) return found;
    do {
      this.#match(SPACE);
      found.push(this.#value());
      this.#match(SPACE);
    } while (this.#skip(","));
    if (!this.#skip("]")) this.#fail();
    return found;
  }

  #string(): string {
    if (!this.#skip('"')) this.#fail();
    let found = "";
    for (;;) {
      found += this.#match(PLAIN)?.[0] ?? "";
      if (this.#skip('"')) break;
      const [escape] = this.#match(ESCAPE) ?? this.#fail();
      const letter = escape.charAt(1);
      found +=
        letter === "u"
          ? String.fromCharCode(Number.parseInt(escape.slice(2), 16))
          : (ESCAPED[letter] ?? letter);
    }
    return isWellFormed(found) ? found : this.#fail();
  }

  #wordOrNumber(): unknown {
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    const [digits, fraction, exponent] = this.#match(NUMBER) ?? this.#fail();
    const value = Number(digits);
    const whole = fraction === undefined && exponent === undefined && Number.isSafeInteger(value);
    return whole ? value + 0 : Number.NaN; // -0 is 0
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at += found[0].length;
    return found;
  }

  #skip(letter: string): boolean {
    if (this.#text[this.#at] !== letter) return false;
    this.#at += 1;
    return true;
  }

  #fail(): never {
    throw new NoJson(`not JSON at character ${String(this.#at)}`);
  }
}
