/** How a call is done: in which form its question has to come, and by what. */

import type { Engine } from "../../engine/core.ts";
import { type Codec, ID, Misfit, members, text, whole } from "../../wire/codec.ts";

const MOST = Number.MAX_SAFE_INTEGER;

/** What reads a question; Misfit for one of another form. */
export type Form<T> = Pick<Codec<T>, "read">;

/** A set of calls as calls/ has them. */
type Topic<C> = { readonly [M in keyof C]: { readonly asked: unknown; readonly answer: unknown } };

/** What the worker does for each of these calls. */
export type Does<C extends Topic<C>> = {
  readonly [M in keyof C]: {
    readonly form: Form<C[M]["asked"]>;
    readonly work: (engine: Engine, asked: C[M]["asked"]) => Promise<C[M]["answer"]>;
  };
};

/** There is no such call, or what is asked has not its form: a bug of the page's, or a tab of another version. */
export class BadCall extends Error {
  override name = "BadCall";
  readonly code = "bad_call";
}

/** What is asked, in its form. BadCall. */
export function read<T>(form: Form<T>, asked: unknown): T {
  try {
    return form.read(asked);
  } catch (error) {
    throw error instanceof Misfit ? new BadCall(`A call does not fit: ${error.message}.`) : error;
  }
}

// forms that many have

/** Nothing is asked. */
export const NOTHING: Form<null> = {
  read: (value) => {
    if (value !== null) throw new Misfit("expected nothing");
    return null;
  },
};
/** A name as it is typed. */
export const USERNAME = text(100, 1);
export const PASSWORD = text(1_000, 1);
/** A text to be said; what fits into a message is judged by its bytes. */
export const TEXT = text(1_000_000);
/** A number of the store's, or a place. */
export const NUMBER = whole(0, MOST);
export const IN = members({ conversationId: ID });
export const OF = members({ username: USERNAME });
