/**
 * What a service worker does, as rules: which request is answered from the cache of its version, and what else is in
 * the caches. `files` are the version's paths with the SHA-256 of what lies there.
 */

export const PREFIX = "messenger-";

/** The cache of a version. */
export function cacheOf(version: string): string {
  return PREFIX + version;
}

/** The caches of other versions: these go once this one serves. */
export function others(names: readonly string[], version: string): string[] {
  return names.filter((name) => name.startsWith(PREFIX) && name !== cacheOf(version));
}

/** The path that a request is answered by from the cache; `undefined` where the network has to be asked. */
export function cachedPath(
  method: string,
  url: URL,
  origin: string,
  files: Readonly<Record<string, string>>,
): string | undefined {
  const isOurs = method === "GET" && url.origin === origin && Object.hasOwn(files, url.pathname);
  return isOurs ? url.pathname : undefined;
}

/** Whether this is what was built. */
export async function fits(raw: ArrayBuffer, sha256: string): Promise<boolean> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
  return Array.from(digest, (one) => one.toString(16).padStart(2, "0")).join("") === sha256;
}
