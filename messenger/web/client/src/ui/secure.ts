/** Whether the browser gives this page what encryption needs, and what to do where it does not. */

export interface Surroundings {
  readonly isSecureContext: boolean;
  readonly location: Pick<Location, "protocol" | "host" | "port">;
  /** Whether it has each of these. */
  readonly has: Readonly<Record<"crypto" | "locks" | "indexedDB" | "BroadcastChannel" | "Worker", boolean>>;
}

/** What is in the way, in plain sentences; none where nothing is. */
export function obstacles({ isSecureContext, location, has }: Surroundings): string[] {
  if (!isSecureContext) {
    const port = location.port === "" ? "" : `:${location.port}`;
    return [
      `This page came over a connection that is not secure (${location.protocol}//${location.host}), so the browser keeps back what encryption needs.`,
      `On the machine that the server runs on, open http://127.0.0.1${port}/ instead.`,
      "From any other machine it takes an address that begins with https://. Whoever runs this server can set that up: the page on installing says how, under “Let others in”.",
    ];
  }
  const missing = Object.entries(has).filter(([, isThere]) => !isThere);
  if (missing.length === 0) return [];
  const names = missing.map(([name]) => name).join(", ");
  return [
    `This browser lacks what the messenger needs (${names}). A newer one has it; a private window may not.`,
  ];
}
