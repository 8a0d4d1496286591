"""Lies about bundles."""

from typing import ClassVar

from tests.client.lying.liar import Json, Lie
from tests.client.lying.lies_keys import OfUser
from tests.client.lying.server import plain


class NoKem(OfUser):
    """Bundles without a KEM prekey."""

    met_by = ("KeysRefused:kem_downgrade",)

    def bundle(self, value: Json) -> Json:
        return {**value, "kem_prekey": None}


class NoOneTime(OfUser):
    """Bundles without one-time prekeys, which there may be none of."""

    def bundle(self, value: Json) -> Json:
        last = self.server.state.devices[value["device_id"]].last_resort
        assert last is not None
        return {**value, "one_time_prekey": None, "kem_prekey": {**plain(last), "last_resort": True}}


class PrekeySwap(OfUser):
    """A prekey of the server's in a bundle: `which` of them."""

    met_by = ("KeysRefused:bad_prekey_signature",)
    which: ClassVar[str] = "signed_prekey"

    def begin(self) -> None:
        self.spy = self.adversary.spy(self.user("bob").user_id, self.device("b1").device_id)
        super().begin()

    def bundle(self, value: Json) -> Json:
        swapped = plain(self.spy.bundle())[self.which]["public_key"]
        return {**value, self.which: {**value[self.which], "public_key": swapped}}


class KemSwap(PrekeySwap):
    """The KEM prekey."""

    which = "kem_prekey"


class OneTimeSwap(PrekeySwap):
    """The one-time prekey, which nobody signs: then nothing can be read, by nobody."""

    met_by = ("MessageRejected:tampered", "MessagesLost")
    which = "one_time_prekey"


class SignedAndKemSwap(PrekeySwap):
    """Keys and signatures of the server's, under bob's identity key."""

    def bundle(self, value: Json) -> Json:
        false = plain(self.spy.bundle())
        return {**false, "identity_key": value["identity_key"], "device_id": value["device_id"]}


LIES: tuple[type[Lie], ...] = (NoKem, NoOneTime, PrekeySwap, KemSwap, OneTimeSwap, SignedAndKemSwap)
