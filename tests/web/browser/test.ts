/** As much of `node:test` as tests need that run in a browser, too. */

interface Context {
  diagnostic(text: string): void;
}

type Work = (context: Context) => unknown;

interface Options {
  readonly skip?: boolean | string;
}

/** What has become of a test. `took` is in milliseconds. */
export interface Result {
  readonly name: string;
  readonly took: number;
  readonly said: readonly string[];
  readonly error?: string;
}

const tests: { readonly name: string; readonly skip: boolean | string; readonly work: Work }[] = [];

export function test(name: string, ...rest: readonly [Work] | readonly [Options, Work]): void {
  const [options, work] = rest.length === 1 ? [{}, rest[0]] : rest;
  tests.push({ name, skip: options.skip ?? false, work });
}

/** Run the tests of a module, one after the other. One that is skipped fails: all are there to be run. */
export async function run(load: () => Promise<unknown>): Promise<Result[]> {
  const results: Result[] = [];
  const timed = async (name: string, work: Work): Promise<void> => {
    const said: string[] = [];
    const began = performance.now();
    let error: unknown;
    try {
      await work({ diagnostic: (text) => said.push(text) });
    } catch (thrown) {
      error = thrown ?? "nothing";
    }
    const result = { name, took: performance.now() - began, said };
    results.push(error === undefined ? result : { ...result, error: described(error) });
  };
  await timed("the module loads", load);
  for (const { name, skip, work } of tests) {
    await timed(name, (context) => {
      if (skip !== false) throw new Error(`skipped: ${String(skip)}`);
      return work(context);
    });
  }
  return results;
}

function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const because = error.cause === undefined ? "" : `\nbecause of ${described(error.cause)}`;
  return `${error.name}: ${error.message}\n${error.stack ?? ""}${because}`;
}
