/** What engines have told, and waiting for what they will tell. */

import type * as client from "../../../messenger/web/client/src/engine/index.ts";
import { type Said, engineOf, text } from "./running.ts";

/** What an engine has told so far, from the first event on. */
interface Heard {
  readonly events: client.Event[];
  more: () => void;
  failed?: Error;
}
const heard = new WeakMap<client.Engine, Heard>();

function hearing(engine: client.Engine): Heard {
  const known = heard.get(engine);
  if (known !== undefined) return known;
  const made: Heard = { events: [], more: () => undefined };
  heard.set(engine, made);
  const hear = async (): Promise<void> => {
    for await (const event of engine.feed.events(0)) {
      made.events.push(event);
      made.more();
    }
  };
  hear().catch((error: unknown) => {
    made.failed = error instanceof Error ? error : new Error(String(error));
    made.more();
  });
  return made;
}

/** The first event of this kind, of those that came or will come; where `text` is given, of a message that says it. */
export function until(said: Said): Promise<client.Event> {
  const kind = text(said, "event");
  return heardOf(
    said,
    (one) =>
      one.event === kind &&
      (said["kind"] === undefined || ("kind" in one && one.kind === said["kind"])) &&
      (said["text"] === undefined || ("message" in one && one.message.text === said["text"])),
  );
}

/** The first event that fits, of those that came or will come. */
export async function heardOf(said: Said, fits: (event: client.Event) => boolean): Promise<client.Event> {
  const told = hearing(engineOf(said));
  for (;;) {
    const found = told.events.find(fits);
    if (found !== undefined) return found;
    if (told.failed !== undefined) throw told.failed;
    await new Promise<void>((resolve) => {
      const before = told.more;
      told.more = () => {
        told.more = () => undefined;
        before();
        resolve();
      };
    });
  }
}
