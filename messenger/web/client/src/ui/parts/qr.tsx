/** A QR code: dark squares on a light ground in any theme, since not all cameras read the other way. */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import encodeQR from "qr";

const BORDER = 4; // squares, which the standard asks for

export function Qr({ text, label }: { readonly text: string; readonly label: string }): JSX.Element {
  const { size, path } = useMemo(() => squares(text), [text]);
  return (
    <svg
      class="qr"
      role="img"
      aria-label={label}
      viewBox={`0 0 ${String(size)} ${String(size)}`}
      shape-rendering="crispEdges"
    >
      <path class="qr-ground" d={`M0 0h${String(size)}v${String(size)}H0z`} />
      <path class="qr-squares" d={path} />
    </svg>
  );
}

/** The dark squares of each row, as far as they lie side by side, as one path. */
export function squares(text: string): { readonly size: number; readonly path: string } {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: BORDER });
  const parts: string[] = [];
  for (const [y, row] of rows.entries()) {
    for (let x = 0; x < row.length; x += 1) {
      if (row[x] !== true) continue;
      const begun = x;
      while (row[x + 1] === true) x += 1;
      const long = String(x + 1 - begun);
      parts.push(`M${String(begun)} ${String(y)}h${long}v1h-${long}z`);
    }
  }
  return { size: rows.length, path: parts.join("") };
}
