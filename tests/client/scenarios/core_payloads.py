"""Payloads, bodies and padding."""

import json
from typing import Any

import msgspec

from messenger.client.e2e.bodies import Unknown, decode_body
from messenger.client.e2e.padding import padded, unpadded
from messenger.client.e2e.payload import decode_payload, encode_payload

raw = bytes.fromhex
Given = dict[str, Any]


class Payloads:
    """Verbs of payloads."""

    def do_pad(self, payload: str) -> Given:
        return {"padded": padded(raw(payload)).hex()}

    def do_unpad(self, padded: str) -> Given:
        return {"payload": unpadded(raw(padded)).hex()}

    def do_payload(self, payload: str) -> Given:
        return {"payload": json.loads(encode_payload(decode_payload(payload.encode())))}

    def do_body(self, body: str) -> Given:
        found = decode_body(body.encode())
        if isinstance(found, Unknown):
            return {"body": {"type": found.type}}
        return {"body": json.loads(msgspec.json.encode(found))}
