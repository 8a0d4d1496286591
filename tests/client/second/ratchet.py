"""The Double Ratchet."""

import struct
from dataclasses import dataclass, field, replace

from tests.client.second.basics import Draw, Refused, dh, hkdf, mac, open_once, public_of, seal_once

INFO = b"messenger-ratchet-1"
MOST = 1_000
HEADER = struct.Struct(">32sII")

Chain = tuple[bytes, int]  # chain key, how many messages it has given


def _root(root: bytes, private: bytes, public: bytes) -> tuple[bytes, Chain]:
    material = hkdf(dh(private, public), b"messenger-root-1", 64, root)
    return material[:32], (material[32:], 0)


def _step(chain: Chain) -> tuple[bytes, Chain]:
    """The message key, and the chain after it."""
    key, number = chain
    return mac(key, b"\x01"), (mac(key, b"\x02"), number + 1)


@dataclass(frozen=True)
class Ratchet:
    """A ratchet; what is done to one makes another."""

    private: bytes
    peer: bytes
    root: bytes
    sending: Chain
    receiving: Chain | None = None
    previous: int = 0
    skipped: dict[tuple[bytes, int], bytes] = field(default_factory=dict)

    @classmethod
    def first(cls, secret: bytes, peer: bytes, draw: Draw) -> "Ratchet":
        """The initiator's; `peer` is the responder's signed prekey."""
        private = draw(32)
        root, sending = _root(secret, private, peer)
        return cls(private, peer, root, sending)

    @classmethod
    def second(cls, secret: bytes, signed_prekey: bytes, peer: bytes, draw: Draw) -> "Ratchet":
        """The responder's, by the first message's ratchet key."""
        try:
            root, receiving = _root(secret, signed_prekey, peer)
            private = draw(32)
            root, sending = _root(root, private, peer)
        except ValueError:
            raise Refused("AuthenticationFailed") from None
        return cls(private, peer, root, sending, receiving)

    def seal(self, plaintext: bytes, data: bytes) -> tuple["Ratchet", bytes]:
        key, sending = _step(self.sending)
        header = HEADER.pack(public_of(self.private), self.previous, self.sending[1])
        return replace(self, sending=sending), header + seal_once(key, INFO, plaintext, data + header)

    def open(self, message: bytes, data: bytes, draw: Draw) -> tuple["Ratchet", bytes, int]:
        """The ratchet after it, the plaintext, and how many message keys were skipped."""
        header, ciphertext = message[: HEADER.size], message[HEADER.size :]
        ratchet_key, previous, number = HEADER.unpack(header)
        kept = self.skipped.get((ratchet_key, number))
        if kept is not None:
            plaintext = open_once(kept, INFO, ciphertext, data + header)
            left = {place: key for place, key in self.skipped.items() if place != (ratchet_key, number)}
            return replace(self, skipped=left), plaintext, 0
        now, new = self, {}
        if ratchet_key != self.peer:
            if self.receiving is not None and previous - self.receiving[1] <= MOST:
                now, new = now._skipping(previous)
            now = now._turned(ratchet_key, draw)
        if now.receiving is None:
            raise Refused("AuthenticationFailed")
        if number - now.receiving[1] > MOST:
            raise Refused("TooFarAhead")
        now, more = now._skipping(number)
        assert now.receiving is not None
        if number < now.receiving[1]:
            raise Refused("ReplayedMessage")
        key, receiving = _step(now.receiving)
        plaintext = open_once(key, INFO, ciphertext, data + header)
        new |= more
        kept_keys = dict(list({**self.skipped, **new}.items())[-MOST:])
        missed = sum(one in kept_keys for one in new)
        return replace(now, receiving=receiving, skipped=kept_keys), plaintext, missed

    def wrote(self, message: bytes) -> bool:
        """Whether a message bears the own ratchet key."""
        return message[:32] == public_of(self.private)

    def _skipping(self, until: int) -> tuple["Ratchet", dict[tuple[bytes, int], bytes]]:
        chain, found = self.receiving, {}
        assert chain is not None
        while chain[1] < until:
            place = (self.peer, chain[1])
            found[place], chain = _step(chain)
        return replace(self, receiving=chain), found

    def _turned(self, peer: bytes, draw: Draw) -> "Ratchet":
        """A turn of the Diffie-Hellman ratchet."""
        try:
            root, receiving = _root(self.root, self.private, peer)
            private = draw(32)
            root, sending = _root(root, private, peer)
        except ValueError:
            raise Refused("AuthenticationFailed") from None
        return replace(
            self,
            private=private,
            peer=peer,
            root=root,
            sending=sending,
            receiving=receiving,
            previous=self.sending[1],
        )
