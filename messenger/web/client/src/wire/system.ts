/** What the server says of itself. */

import { COUNT, KIND, NAME } from "./basics.ts";
import { type Of, defaulted, list, members, named, text, whole } from "./codec.ts";

const SCHEMA = named(text(64));

/** What a client may expect here. `limits` by name; `reconnect_spread` is in seconds. */
export const INFO = members({
  version: NAME,
  protocols: list(KIND, 100),
  registration: KIND,
  limits: named(COUNT),
  features: list(KIND, 1_000),
  schema: defaulted(SCHEMA, new Map()),
  reconnect_spread: defaulted(whole(0, 3_600), 10),
});

export type Info = Readonly<Of<typeof INFO>>;
