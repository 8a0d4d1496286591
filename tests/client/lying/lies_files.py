"""Lies about files."""

import base64
import secrets

from tests.client.lying.front import Ask
from tests.client.lying.liar import Json, Lie
from tests.client.lying.state import Device


class FlippedFile(Lie):
    """A byte of a file is changed."""

    met_by = ("FileRejected:tampered",)

    def blob(self, device: Device, ask: Ask, raw: bytes) -> bytes:
        return raw[:100] + bytes((raw[100] ^ 1,)) + raw[101:] if ask.path.startswith("/files/") else raw


class CutFile(Lie):
    """A file ends too early."""

    met_by = ("FileRejected:truncated",)

    def blob(self, device: Device, ask: Ask, raw: bytes) -> bytes:
        return raw[:-50] if ask.path.startswith("/files/") else raw


class OtherFile(Lie):
    """Another file of the same size is given out."""

    met_by = ("FileRejected",)

    def blob(self, device: Device, ask: Ask, raw: bytes) -> bytes:
        return b"\x01\x00" + secrets.token_bytes(len(raw) - 2) if ask.path.startswith("/files/") else raw


class OtherUpload(Lie):
    """Another file is said to have been stored."""

    met_by = ("FileDamaged",)

    def answer(self, device: Device, ask: Ask, value: Json) -> Json:
        if ask.path == "/files":
            return {**value, "sha256": base64.b64encode(secrets.token_bytes(32)).decode()}
        return value


LIES: tuple[type[Lie], ...] = (FlippedFile, CutFile, OtherFile, OtherUpload)
