/** As much of `node:assert/strict` as tests need that run in a browser, too. */

type Expected = RegExp | (abstract new (...given: never[]) => unknown) | object;

class AssertionError extends Error {
  override readonly name = "AssertionError";
}

function ok(value: unknown, text = "no truth"): void {
  if (!value) throw new AssertionError(text);
}

function equal(found: unknown, expected: unknown, text = ""): void {
  ok(Object.is(found, expected), `${shown(found)} where ${shown(expected)} is expected ${text}`);
}

function notEqual(found: unknown, other: unknown, text = ""): void {
  ok(!Object.is(found, other), `${shown(found)} is not expected ${text}`);
}

function deepEqual(found: unknown, expected: unknown, text = ""): void {
  ok(alike(found, expected), `${shown(found)} where ${shown(expected)} is expected ${text}`);
}

function throws(work: () => unknown, expected?: Expected, text = ""): void {
  try {
    work();
  } catch (thrown) {
    fits(thrown, expected, text);
    return;
  }
  ok(false, `nothing is thrown ${text}`);
}

async function rejects(
  work: Promise<unknown> | (() => Promise<unknown>),
  expected?: Expected,
  text = "",
): Promise<void> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (thrown) {
    fits(thrown, expected, text);
    return;
  }
  ok(false, `nothing is thrown ${text}`);
}

function fits(error: unknown, expected: Expected | undefined, text: string): void {
  const where = `${shown(error)} is thrown ${text}`;
  if (expected === undefined) return;
  if (expected instanceof RegExp) ok(expected.test(String(error)), where);
  else if (typeof expected === "function") ok(error instanceof expected, where);
  else {
    for (const [name, value] of Object.entries(expected)) {
      ok(alike((error as Record<string, unknown>)[name], value), where);
    }
  }
}

/** Whether two values are of one class and hold the same. */
function alike(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  if (one instanceof Map || one instanceof Set) {
    return alike([...one], [...(other as Iterable<unknown>)]);
  }
  const [names, its] = [one, other].map((value) => Object.keys(value));
  if (names?.length !== its?.length) return false;
  return (names ?? []).every(
    (name) =>
      Object.hasOwn(other, name) &&
      alike((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name]),
  );
}

function shown(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const json = JSON.stringify(value) as string | undefined;
  return json?.slice(0, 500) ?? typeof value;
}

export default { ok, equal, notEqual, deepEqual, throws, rejects };
