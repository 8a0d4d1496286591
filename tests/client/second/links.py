"""What people compare, copy and type: safety numbers, contact links, device codes."""

import base64
import binascii
import hashlib
import re
from uuid import UUID

from tests.client.second.basics import Draw, Given, Refused, ids, mac, raw, sha256, signer
from tests.client.second.devices import Keys


def fingerprint(user_id: str, account_key: bytes) -> bytes:
    return sha256(b"messenger-contact-1\0", ids(user_id), account_key)[:20]


def digits(user_id: str, account_key: bytes) -> str:
    d = b"\0\0" + account_key + ids(user_id)
    for _ in range(5_200):
        d = hashlib.sha512(d + account_key).digest()
    return "".join(f"{int.from_bytes(d[at : at + 5], 'big') % 100_000:05d}" for at in range(0, 30, 5))


def read_code(code: str) -> tuple[bytes, bytes]:
    """Secret and tag."""
    letters = "".join(code.upper().split()).replace("-", "").translate(str.maketrans("018", "OIB"))
    try:
        whole = base64.b32decode(letters) if len(letters) == 24 else b""
    except (binascii.Error, ValueError):
        whole = b""
    if len(whole) != 15:
        raise Refused("CodeError")
    return whole[:10], whole[10:]


def tag_of(secret: bytes, about: bytes) -> bytes:
    return mac(secret, b"messenger-device-code-1\0" + about)[:5]


def proof_of(secret: bytes, account_key: bytes, about: bytes) -> bytes:
    return mac(secret, b"messenger-account-grant-1\0" + account_key + about)


def about_device(user_id: str, device: Given) -> bytes:
    return ids(user_id, device["device_id"]) + raw(device["identity_key"])


class Links:
    """Verbs of numbers, links and codes."""

    draw: Draw
    devices: dict[str, Keys]
    accounts: dict[str, bytes]

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, tuple[bytes, float]] = {}

    def do_safety_number(self, a: Given, b: Given) -> Given:
        both = "".join(sorted(digits(one["user_id"], raw(one["account_key"])) for one in (a, b)))
        return {"digits": " ".join(both[at : at + 5] for at in range(0, 60, 5))}

    def do_own_conversation(self, user_id: str) -> Given:
        number = int.from_bytes(sha256(b"messenger-own-conversation-1\0", ids(user_id))[:16], "big")
        number = number & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
        return {"client_id": str(UUID(int=number))}

    def do_link(self, server: str, username: str, user_id: str, account_key: str) -> Given:
        told = b"\x01" + ids(user_id) + fingerprint(user_id, raw(account_key)) + username.encode()
        fragment = base64.urlsafe_b64encode(told).decode().rstrip("=")
        return {"link": f"{server.rstrip('/')}/#contact={fragment}"}

    def do_read_link(self, link: str, user_id: str, account_key: str) -> Given:
        server, _, fragment = link.strip().partition("/#contact=")
        if not server or not re.fullmatch("[A-Za-z0-9_-]+", fragment, re.ASCII):
            raise Refused("BadContactCode")
        try:
            told = base64.urlsafe_b64decode(fragment + "=" * (-len(fragment) % 4))
        except binascii.Error:
            raise Refused("BadContactCode") from None
        username = told[37:].decode("ascii", "replace")
        if told[0] != 1 or not re.fullmatch("[a-z][a-z0-9._-]{2,31}", username, re.ASCII):
            raise Refused("BadContactCode")
        means = str(UUID(bytes=told[1:17]))
        fits = means == user_id and fingerprint(user_id, raw(account_key)) == told[17:37]
        return {"server": server, "username": username, "user_id": means, "fits": fits}

    def do_show_code(self, device: str, now: float) -> Given:
        keys, secret = self.devices[device], self.draw(10)
        self.codes[device] = (secret, now)
        text = base64.b32encode(secret + tag_of(secret, keys.about + keys.identity_key)).decode()
        return {"code": "-".join(text[at : at + 4] for at in range(0, 24, 4))}

    def do_match_code(self, code: str, user_id: str, waiting: list[Given]) -> Given:
        secret, tag = read_code(code)
        for one in waiting:
            if tag_of(secret, about_device(user_id, one)) == tag:
                return {"device_id": one["device_id"]}
        raise Refused("CodeError")

    def do_grant(self, account: str, code: str, user_id: str, device: Given) -> Given:
        seed = self.accounts[account]
        proof = proof_of(read_code(code)[0], signer(seed), about_device(user_id, device))
        return {"seed": seed.hex(), "proof": proof.hex()}

    def do_take_grant(self, device: str, seed: str, proof: str, now: float) -> Given:
        keys, (secret, made) = self.devices[device], self.codes[device]
        account_key = signer(raw(seed))
        if proof_of(secret, account_key, keys.about + keys.identity_key) != raw(proof):
            raise Refused("GrantRefused")
        if not 0 <= now - made <= 600:
            raise Refused("CodeExpired")
        return {"account_key": account_key.hex()}
