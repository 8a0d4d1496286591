/** Payloads, bodies and padding. */

import { decodeBody, encodeBody } from "../../../messenger/web/client/src/e2e/bodies.ts";
import { decodePayload, encodePayload } from "../../../messenger/web/client/src/e2e/index.ts";
import { padded, unpadded } from "../../../messenger/web/client/src/e2e/padding.ts";
import { hex, utf8 } from "../../../messenger/web/client/src/wire/bytes.ts";
import { type Given, raw } from "./running.ts";
import { textOf } from "./sessions.ts";

export const PAYLOAD_VERBS = {
  pad: (given: { payload: string }) => ({
    padded: hex(padded(raw(given.payload))),
  }),

  unpad: (given: { padded: string }) => ({
    payload: hex(unpadded(raw(given.padded))),
  }),

  payload: (given: { payload: string }) => ({
    payload: JSON.parse(textOf(encodePayload(decodePayload(utf8(given.payload))))) as Given,
  }),

  body: (given: { body: string }) => {
    const found = decodeBody(given.body);
    return {
      body: found.type === null ? { type: found.unknown } : (JSON.parse(encodeBody(found)) as Given),
    };
  },
};
