/** Somebody else: whether one knows that it is them, how to find out, and hearing no more from them. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import type { Calls } from "../../../worker/protocol.ts";
import { type Action, Problem, useAction } from "../../parts/action.tsx";
import { Button } from "../../parts/button.tsx";
import { Field } from "../../parts/field.tsx";
import { Icon } from "../../parts/icon.tsx";
import { useDecisions, useLooking } from "../../parts/looking.ts";
import { Said } from "../../parts/name.tsx";
import { Qr } from "../../parts/qr.tsx";
import { Sure } from "../../parts/sure.tsx";
import { isolated } from "../../rules/texts.ts";
import { call } from "../../state/engine.ts";
import { go, routeTo } from "../../state/router.ts";
import { words } from "../../words/index.ts";

type Number = Calls["safetyNumber"]["answer"];

export function Person({ username }: { readonly username: string }): JSX.Element {
  const said = words.value.people;
  const number = useSignal<Number | null>(null);
  const isBlocked = useSignal(false);
  const action = useAction();
  const looking = useLooking(async () => {
    number.value = await call("safetyNumber", { username });
    const blocked = await call("blocks", null);
    isBlocked.value = blocked.some((one) => one.username === username);
  }, [username]);
  const decide = useDecisions(action, looking);
  const who = isolated(username);
  return (
    <div class="stack">
      <h3>
        <Said text={username} />
      </h3>
      {number.value === null ? null : <State number={number.value} />}
      <Problem of={looking} />
      <Problem of={action} />
      {number.value === null ? null : <Compare username={username} number={number.value} decide={decide} />}
      {isBlocked.value ? <p>{said.blocked(who)}</p> : null}
      <div class="buttons">
        <Button
          onPress={() => {
            void write(action, username);
          }}
        >
          {said.write}
        </Button>
        <Button
          kind={isBlocked.value ? "plain" : "danger"}
          onPress={() => {
            decide(() => call(isBlocked.value ? "unblock" : "block", { username }));
          }}
        >
          {isBlocked.value ? said.unblock : said.block}
        </Button>
      </div>
    </div>
  );
}

async function write(action: Action, username: string): Promise<void> {
  const conversation = await action.run(() => call("direct", { username }));
  if (conversation !== undefined) go(routeTo("talk", { conversation }), { replace: true });
}

function State({ number: { verified, changed } }: { readonly number: Number }): JSX.Element {
  const said = words.value.people;
  const kind = changed ? "danger" : verified ? "good" : "quiet";
  return (
    <p class={`state-line ${kind}`} role="status">
      <Icon name={changed ? "alert" : verified ? "check" : "lock"} />
      {changed ? said.changed : verified ? said.verified : said.unverified}
    </p>
  );
}

function Compare({
  username,
  number,
  decide,
}: {
  readonly username: string;
  readonly number: Number;
  readonly decide: (work: () => Promise<unknown>) => void;
}): JSX.Element {
  const said = words.value.people;
  const link = useSignal("");
  const { digits, verified, changed } = number;
  const who = isolated(username);
  const verify = (proof: string | null): void => {
    decide(() => call("verify", { username, proof }));
  };
  if (verified) {
    return (
      <div class="stack">
        <p class="hint">{said.takeWhat}</p>
        <Digits digits={digits} />
        <Button
          onPress={() => {
            verify(null);
          }}
        >
          {said.take}
        </Button>
      </div>
    );
  }
  return (
    <div class="stack">
      <p>{said.compare(who)}</p>
      <Digits digits={digits} />
      <Button
        kind="main"
        onPress={() => {
          verify(digits);
        }}
      >
        {said.same}
      </Button>
      <p>{said.qr(who)}</p>
      <Qr text={number.link} label={said.qrLabel} />
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (link.value.trim() !== "") verify(link.value.trim());
        }}
      >
        <Field
          name="link"
          label={said.theirs}
          hint={said.theirsHint}
          value={link.value}
          onType={(typed) => {
            link.value = typed;
          }}
        />
        <button type="submit" class="button">
          {said.check}
        </button>
      </form>
      {changed ? (
        <Sure
          label={said.accept}
          what={said.acceptWhat(who)}
          sure={said.accept}
          onSure={() => {
            decide(() => call("acceptIdentity", { username, digits }));
          }}
        />
      ) : null}
    </div>
  );
}

function Digits({ digits }: { readonly digits: string }): JSX.Element {
  return (
    <p class="digits" aria-label={words.value.people.number} role="group">
      {digits.split(" ").map((five, at) => (
        <span key={at}>{five}</span>
      ))}
    </p>
  );
}
