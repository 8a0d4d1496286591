/** What the server says of itself before anybody has logged in. */

import { signal } from "@preact/signals";

export type Registration = "open" | "invite" | "closed";

/** How one gets an account; null until it is known. */
export const registration = signal<Registration | null>(null);

/** Whether this is how one gets an account. */
export function registrationOf(said: unknown): Registration | null {
  const given =
    typeof said === "object" && said !== null ? (said as Record<string, unknown>)["registration"] : null;
  return given === "open" || given === "invite" || given === "closed" ? given : null;
}

/** Ask. Without an answer the form stays as it is, and the server says what is wrong with what it is sent. */
export async function askServer(): Promise<void> {
  try {
    const response = await fetch("/api/v1/info", { credentials: "omit" });
    if (response.ok) registration.value = registrationOf(await response.json());
  } catch {
    // It is away: the way in says so, once somebody wants in.
  }
}
