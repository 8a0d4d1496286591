/**
 * Whether bytes are a picture that a page may show, of which type and size: by their own beginning, whatever anybody
 * says of them. No SVG, which is a document.
 */

import type { FileBody, Text } from "../e2e/bodies.ts";

/** A picture as its header has it. */
export interface Picture {
  readonly type: "image/png" | "image/jpeg" | "image/gif" | "image/webp";
  readonly width: number;
  readonly height: number;
}

/** Bytes from the beginning that are looked at. */
export const HEAD = 65_536;
const MOST_PIXELS = 50_000_000; // 200 MB once it is unpacked
const MOST_SIDE = 65_535;

/** How large the picture is that a message brings, as its sender says; 0 where that is not said. */
export function sidesOf(body: Text | FileBody): Pick<Picture, "width" | "height"> {
  const { width, height } = body.type === "file" ? body : {};
  return width === undefined || height === undefined ? { width: 0, height: 0 } : { width, height };
}

/** `undefined` for whatever is no picture, or larger than a page can bear. `head`: the first bytes, up to `HEAD`. */
export function pictureOf(head: Uint8Array): Picture | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let found: Picture | undefined;
  try {
    found = png(view) ?? gif(view) ?? webp(view) ?? jpeg(view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // it is cut off
  }
  if (found === undefined) return undefined;
  const { width, height } = found;
  const fits = width > 0 && height > 0 && width <= MOST_SIDE && height <= MOST_SIDE;
  return fits && width * height <= MOST_PIXELS ? found : undefined;
}

function says(view: DataView, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (view.getUint8(at + index) !== text.charCodeAt(index)) return false;
  }
  return true;
}

function png(view: DataView): Picture | undefined {
  if (!says(view, 0, "\x89PNG\r\n\x1a\n") || !says(view, 12, "IHDR")) return undefined;
  return { type: "image/png", width: view.getUint32(16), height: view.getUint32(20) };
}

function gif(view: DataView): Picture | undefined {
  if (!says(view, 0, "GIF87a") && !says(view, 0, "GIF89a")) return undefined;
  return { type: "image/gif", width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function webp(view: DataView): Picture | undefined {
  if (!says(view, 0, "RIFF") || !says(view, 8, "WEBP")) return undefined;
  const type = "image/webp";
  if (says(view, 12, "VP8X")) {
    const side = (at: number): number => 1 + view.getUint8(at) + view.getUint16(at + 1, true) * 256;
    return { type, width: side(24), height: side(27) };
  }
  if (says(view, 12, "VP8L") && view.getUint8(20) === 0x2f) {
    const sides = view.getUint32(21, true);
    return { type, width: (sides & 0x3fff) + 1, height: ((sides >>> 14) & 0x3fff) + 1 };
  }
  if (says(view, 12, "VP8 ") && says(view, 23, "\x9d\x01\x2a")) {
    return { type, width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  return undefined;
}

function jpeg(view: DataView): Picture | undefined {
  if (!says(view, 0, "\xff\xd8\xff")) return undefined;
  // Segments, each with its length, up to the one that begins a frame.
  for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { type: "image/jpeg", width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
  }
  return undefined;
}
