/** Whether the browser gives this page what encryption needs. */

export interface Surroundings {
  readonly isSecureContext: boolean;
  readonly location: Pick<Location, "protocol" | "host" | "port">;
  /** Whether it has each of these. */
  readonly has: Readonly<Record<"crypto" | "locks" | "indexedDB" | "BroadcastChannel" | "Worker", boolean>>;
}

/** What is in the way. `local` is the address of this server on its own machine. */
export type Obstacle =
  | { readonly what: "insecure"; readonly here: string; readonly local: string }
  | { readonly what: "lacking"; readonly names: string };

/** The first thing in the way; null where nothing is. */
export function obstacle({ isSecureContext, location, has }: Surroundings): Obstacle | null {
  if (!isSecureContext) {
    const { protocol, host, port } = location;
    const local = `http://127.0.0.1${port === "" ? "" : `:${port}`}/`;
    return { what: "insecure", here: `${protocol}//${host}`, local };
  }
  const missing = Object.entries(has).filter(([, isThere]) => !isThere);
  return missing.length === 0 ? null : { what: "lacking", names: missing.map(([name]) => name).join(", ") };
}
