/** What a role may do in a group, as far as it is offered: the engine judges it by the roster. */

export interface May {
  readonly leads: boolean;
  readonly owns: boolean;
}

export function rolesOf(role: string): May {
  return { leads: role === "owner" || role === "admin", owns: role === "owner" };
}

/** What is to be said of a member besides the role. */
export type Doubt = "unvouched" | "unconfirmed" | "unlisted" | null;

export interface Standing {
  readonly vouched: boolean;
  readonly listed: boolean;
  /** Whether the roster names the member at all. */
  readonly inRoster: boolean;
}

export function doubtOf({ vouched, listed, inRoster }: Standing): Doubt {
  if (!inRoster) return "unvouched";
  if (!vouched) return "unconfirmed";
  return listed ? null : "unlisted";
}
