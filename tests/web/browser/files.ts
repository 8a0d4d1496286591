/** In a browser, what tests read is fetched before they begin: `../files.ts` reads files. */

const given = new Map<string, unknown>();

/** Fetch what there is. */
export async function give(): Promise<void> {
  const names = (await fetched("names")) as string[];
  await Promise.all(names.map(async (name) => given.set(name, await fetched(name))));
}

/** A file of docs/vectors. */
export function vector(name: string): unknown {
  if (!given.has(name)) throw new Error(`there are no vectors ${name}`);
  return given.get(name);
}

/** What the test run has put down under this name; `undefined` where it has not. */
export function named(name: string): unknown {
  return given.get(name);
}

async function fetched(name: string): Promise<unknown> {
  return (await fetch(`/files/${name}.json`)).json();
}
