/** An account in a browser, as a tab that follows asks for it. */

import type {
  CallFailed,
  Calls,
  Method,
  Outcome,
} from "../../../messenger/web/client/src/worker/protocol.ts";
import { PASSWORD } from "./person.ts";
import { person, someone } from "./scene.ts";

/** All that there is to an account, asked in a tab that follows. */
export async function account(): Promise<object> {
  const ann = await person("ann");
  const first = await ann.open();
  const page = await ann.open();
  await first.waitForFunction(() => globalThis.messenger.role === "leads");
  await page.waitForFunction(() => globalThis.messenger.role === "follows");
  const call = <M extends Method>(method: M, asked: Calls[M]["asked"]): Promise<Outcome> =>
    page.evaluate(
      async ([name, said]) => {
        try {
          return { ok: await globalThis.messenger.call(name, said) };
        } catch (error) {
          const { name: kind, code, message } = error as CallFailed;
          return { error: { name: kind, code, message } };
        }
      },
      [method, asked] as const,
    );
  const failed = async (asked: Promise<Outcome>): Promise<string> => {
    const outcome = await asked;
    return "error" in outcome ? outcome.error.code : "it was done";
  };
  const said = { username: ann.name, password: PASSWORD, lock: true };
  const before = [
    await failed(call("conversations", null)),
    await failed(call("register", { ...said, password: "password" })),
    await failed(call("login", said)),
  ];
  const registered = await call("register", said);
  await ann.online(page);
  // Asked again, as of the next leader, it is done already; for another name there is an account here.
  const again = [
    await call("register", said),
    await call("login", said),
    await failed(call("register", { ...said, username: "somebody-else" })),
  ];
  await ann.online(first);
  const talk = await ann.direct(page, await someone("ben"));
  ann.talk = talk;
  await ann.write(page);
  const read = await call("read", { conversationId: talk });
  const unknown = await failed(call("history", { conversationId: "no id", limit: 10 }));
  // A lock: after a restart only the password opens it.
  await ann.browser.close();
  ann.tabs.length = 0;
  await ann.browser.start();
  await ann.open();
  const locked = await ann.open();
  await locked.waitForFunction(() => globalThis.messenger.status.profile === "locked");
  ann.tabs.splice(0, 2, locked);
  const opened = await locked.evaluate(async (password) => {
    const ask = (word: string): Promise<string> =>
      globalThis.messenger.call("unlock", { password: word }).then(
        () => "open",
        (error: unknown) => (error as CallFailed).code,
      );
    return [await ask("wrong"), await ask(password), await ask(password)];
  }, PASSWORD);
  await ann.online(locked);
  const out = await locked.evaluate(() => globalThis.messenger.call("logout", null));
  const kept = (await ann.history(locked)).length;
  await locked.getByText("You are logged out.").waitFor();
  await locked.evaluate((asked) => globalThis.messenger.call("login", asked), said);
  await ann.online(locked);
  const named = await locked.evaluate(async () =>
    (await globalThis.messenger.call("conversations", null)).map((one) => one.peer),
  );
  return { name: ann.name, before, registered, again, read, unknown, opened, out, kept, named };
}
