/** What a user wishes of the server. */

import { type Of, members, oneOf } from "./codec.ts";

/** `groups` is who may add the user to groups: `anyone`, or those with whom it shares a direct conversation. */
export const PREFERENCES = members({ groups: oneOf("anyone", "contacts") });

export type Preferences = Readonly<Of<typeof PREFERENCES>>;
