/**
 * Takes the client's core through docs/vectors/scenarios.json, whose form is that of
 * tests/client/scenarios/running.py. Nothing here is Node's: it runs in a browser, too.
 */

import { hex, hexBytes } from "../../../messenger/web/client/src/wire/bytes.ts";

export type Given = Readonly<Record<string, unknown>>;
export type Draw = (count: number) => Uint8Array;

export interface Step {
  readonly do: string;
  readonly note?: string;
  readonly with: Given;
  readonly random?: readonly string[];
  readonly gives?: Given;
  readonly error?: string;
  readonly word?: string;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly steps: readonly Step[];
}

/** An implementation that knows the verbs. */
export interface Machine {
  run(verb: string, given: Given, draw: Draw): Given;
  /** Name and word of an error of this implementation; `undefined` for any other. */
  refusal(error: unknown): readonly [name: string, word: string] | undefined;
}

export interface Replayed {
  readonly steps: number;
  readonly refusals: number;
}

/** The bytes of hex. */
export function raw(text: string): Uint8Array {
  const found = hexBytes(text);
  if (found === undefined) throw new Error(`no hex: ${text}`);
  return found;
}

/** Takes a machine through a scenario; throws where anything comes out otherwise. */
export function replay(machine: Machine, scenario: Scenario): Replayed {
  const given: Given[] = [];
  let refusals = 0;
  for (const [number, step] of scenario.steps.entries()) {
    try {
      const drawn = new Drawn(step.error === undefined ? (step.random ?? []) : undefined);
      const found = outcome(machine, step.do, resolved(step.with, given) as Given, drawn.draw);
      const expected =
        step.error === undefined ? { gives: step.gives } : { error: step.error, word: step.word };
      if (!alike(found, expected)) {
        throw new Error(`${JSON.stringify(found)} where ${JSON.stringify(expected)} is expected`);
      }
      if (!drawn.allUsed) throw new Error("not all random bytes were drawn");
      if (step.error !== undefined) refusals += 1;
    } catch (error) {
      const where = `scenario ${scenario.name}, step ${String(number)}: ${step.do} ${step.note ?? ""}`;
      throw new Error(where, { cause: error });
    }
    given.push(step.gives ?? {});
  }
  return { steps: scenario.steps.length, refusals };
}

/** The random bytes of a step, in order; for a step that is refused, any. */
class Drawn {
  readonly #given: string[] | undefined;

  constructor(given: readonly string[] | undefined) {
    this.#given = given && [...given];
  }

  readonly draw: Draw = (count) => {
    if (this.#given === undefined) return new Uint8Array(count);
    const found = raw(this.#given.shift() ?? "");
    if (found.length !== count) {
      throw new Error(`${String(count)} bytes are drawn where ${String(found.length)} are given`);
    }
    return found;
  };

  get allUsed(): boolean {
    return this.#given === undefined || this.#given.length === 0;
  }
}

/** Whether two JSON values say the same; members that are undefined are not there. */
export function alike(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
    return one === other;
  }
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [mine, theirs] = [one as Given, other as Given];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => alike(mine[name], theirs[name]));
}

function outcome(machine: Machine, verb: string, given: Given, draw: Draw): Given {
  try {
    return { gives: machine.run(verb, given, draw) };
  } catch (error) {
    const refusal = machine.refusal(error);
    if (refusal === undefined) throw error;
    return { error: refusal[0], word: refusal[1] };
  }
}

/** An argument with what it stands for in its place. */
function resolved(value: unknown, given: readonly Given[]): unknown {
  if (typeof value === "string" && value.startsWith("$")) {
    const [number, ...path] = value.slice(1).split(".");
    return path.reduce<unknown>((found, part) => (found as Given)[part], given[Number(number)]);
  }
  if (Array.isArray(value)) return value.map((one) => resolved(one, given));
  if (typeof value !== "object" || value === null) return value;
  const found = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolved(one, given)]));
  return "bytes" in found ? changed(found as unknown as Change) : found;
}

interface Change {
  readonly bytes: string;
  readonly times?: number;
  readonly xor?: readonly [number, string];
  readonly put?: readonly [number, string];
  readonly take?: number;
  readonly then?: string;
}

/** Bytes (hex) after what is to be done to them. */
function changed(what: Change): string {
  const bytes = raw(what.bytes.repeat(what.times ?? 1));
  overwrite(bytes, what.xor, (was, byte) => was ^ byte);
  overwrite(bytes, what.put, (_, byte) => byte);
  return hex(what.take === undefined ? bytes : bytes.slice(0, what.take)) + (what.then ?? "");
}

/** Change bytes from a place on, which counts from the end where it is below 0. */
export function overwrite(
  bytes: Uint8Array,
  change: readonly [number, string] | undefined,
  by: (was: number, byte: number) => number,
): void {
  if (change === undefined) return;
  const from = ((change[0] % bytes.length) + bytes.length) % bytes.length;
  for (const [index, byte] of raw(change[1]).entries()) {
    bytes[from + index] = by(bytes[from + index] ?? 0, byte);
  }
}
