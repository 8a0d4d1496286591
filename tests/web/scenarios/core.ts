/** The client's core behind the verbs of the scenarios. After each step its state is written down and read again. */

import { errors } from "../../../messenger/web/client/src/e2e/index.ts";
import { reasonOf } from "../../../messenger/web/client/src/engine/naming.ts";
import { fileVerbs } from "./files.ts";
import { groupVerbs } from "./groups.ts";
import { PAYLOAD_VERBS } from "./payloads.ts";
import { rosterVerbs } from "./rosters.ts";
import type { Draw, Given, Machine } from "./running.ts";
import { Devices, sessionVerbs } from "./sessions.ts";
import { trustVerbs } from "./trust.ts";

type Verb = (given: Given) => Given;

export class Core implements Machine {
  readonly #devices = new Devices();
  // The file's form is checked where it is made: arguments are taken to be what each verb says.
  readonly #verbs = {
    ...sessionVerbs(this.#devices),
    ...groupVerbs(this.#devices),
    ...trustVerbs(this.#devices),
    ...rosterVerbs(),
    ...PAYLOAD_VERBS,
    ...fileVerbs(this.#devices),
  } as unknown as Readonly<Record<string, Verb>>;

  run(verb: string, given: Given, draw: Draw): Given {
    this.#devices.draw = draw;
    const found = this.#verbs[verb];
    if (found === undefined) throw new Error(`no verb ${verb}`);
    return found(given);
  }

  refusal(error: unknown): readonly [string, string] | undefined {
    return error instanceof errors.EncryptionError ? [error.name, reasonOf(error)] : undefined;
  }
}
