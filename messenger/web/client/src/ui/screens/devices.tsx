/** The account's devices: which there are, removing one, and approving a new one by the code that it shows. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import type { Calls, WaitingDevice } from "../../worker/protocol.ts";
import { Problem, useAction } from "../parts/action.tsx";
import { Button } from "../parts/button.tsx";
import { Field } from "../parts/field.tsx";
import { useDecisions, useLooking } from "../parts/looking.ts";
import { Said } from "../parts/name.tsx";
import { Sure } from "../parts/sure.tsx";
import { isolated } from "../rules/texts.ts";
import { wholeTimeOf } from "../rules/times.ts";
import { call, listen } from "../state/engine.ts";
import { locale, words } from "../words/index.ts";

type Listed = Calls["devices"]["answer"][number];

const moment = (time: string): string => wholeTimeOf(Date.parse(time), locale.value);

export function Devices(): JSX.Element {
  const said = words.value.devices;
  const all = useSignal<readonly Listed[]>([]);
  const action = useAction();
  const looking = useLooking(async () => {
    all.value = await call("devices", null);
  });
  const decide = useDecisions(action, looking);
  useEffect(
    () =>
      listen(({ event }) => {
        if (event === "device_waiting" || event === "device_list_changed") void looking.again();
      }),
    [],
  );
  return (
    <div class="stack">
      <p>{said.what}</p>
      <Problem of={looking} />
      <Problem of={action} />
      <ul class="cards">
        {all.value.map((one) => (
          <li key={one.device_id}>
            <Device
              device={one}
              remove={() => {
                decide(() => call("removeDevice", { deviceId: one.device_id }));
              }}
            />
          </li>
        ))}
      </ul>
      <Approve
        approved={() => {
          void looking.again();
        }}
      />
    </div>
  );
}

function Device({ device, remove }: { readonly device: Listed; readonly remove: () => void }): JSX.Element {
  const said = words.value.devices;
  const { device_name, current, approved, created_at, last_seen_at } = device;
  return (
    <div class="stack tight">
      <strong>
        {device_name === null ? said.nameless : <Said text={device_name} />}
        {current ? ` (${said.here})` : ""}
      </strong>
      <p class="hint">
        {said.since(moment(created_at))}, {said.seen(moment(last_seen_at))}
      </p>
      {approved ? null : <p class="state-line danger">{said.waits}</p>}
      {current ? null : (
        <Sure label={said.remove} what={said.removeWhat} sure={said.removeSure} onSure={remove} />
      )}
    </div>
  );
}

function Approve({ approved }: { readonly approved: () => void }): JSX.Element {
  const said = words.value.devices;
  const code = useSignal("");
  const found = useSignal<WaitingDevice | null>(null);
  const isDone = useSignal(false);
  const action = useAction();
  const device = found.value;
  return (
    <section class="stack" aria-label={said.approve}>
      <h3>{said.approve}</h3>
      <p class="hint">{said.approveWhat}</p>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          isDone.value = false;
          if (code.value.trim() === "") return;
          void action.run(async () => {
            found.value = await call("deviceOf", { code: code.value.trim() });
          });
        }}
      >
        <Field
          name="code"
          label={said.code}
          value={code.value}
          onType={(typed) => {
            code.value = typed;
            found.value = null;
          }}
        />
        <Problem of={action} />
        {device === null ? (
          <button type="submit" class="button main" aria-disabled={action.isBusy.value}>
            {said.find}
          </button>
        ) : null}
      </form>
      {device === null ? null : (
        <div class="sure" role="group" aria-label={said.approve}>
          <p>
            <strong>
              {said.found(isolated(device.device_name ?? said.nameless), moment(device.created_at))}
            </strong>
          </p>
          <p>{said.foundWhat}</p>
          <div class="buttons">
            <Button
              kind="main"
              onPress={() => {
                void action.run(async () => {
                  await call("approveDevice", { code: code.value.trim(), deviceId: device.device_id });
                  [found.value, code.value, isDone.value] = [null, "", true];
                  approved();
                });
              }}
            >
              {said.yes}
            </Button>
            <Button
              onPress={() => {
                found.value = null;
              }}
            >
              {words.value.common.cancel}
            </Button>
          </div>
        </div>
      )}
      <p role="status">{isDone.value ? said.approved : ""}</p>
    </section>
  );
}
