/** The slots for warnings: what happened, what it may mean, what to do. They stay until they are dealt with. */

import type { JSX } from "preact";

import { warningsOf } from "../state/warnings.ts";
import { Button } from "./button.tsx";
import { Notice } from "./notice.tsx";

/** All warnings about a conversation, or with null about no single one. */
export function Warnings({ conversation }: { readonly conversation: string | null }): JSX.Element | null {
  const found = warningsOf(conversation);
  if (found.length === 0) return null;
  return (
    <div class="warnings" role="alert">
      {found.map((one) => (
        <Notice
          key={one.key}
          icon="alert"
          kind={one.refuses ? "danger" : "warning"}
          actions={one.actions.map(({ label, act }) => (
            <Button key={label} onPress={act}>
              {label}
            </Button>
          ))}
        >
          <strong>{one.happened}</strong>
          <p>{one.means}</p>
          <p>{one.todo}</p>
        </Notice>
      ))}
    </div>
  );
}
