"""The calls under /keys."""

from messenger.core.http.call import Call
from messenger.core.http.routing import route
from messenger.keys.domain import Keys
from messenger.wire.errors import Code
from messenger.wire.keys import (
    Bundle,
    Claim,
    DeviceList,
    Identities,
    IdentityKey,
    KemPrekeyCount,
    KemPrekeys,
    KeyStatus,
    OneTimePrekeyCount,
    OneTimePrekeys,
    SignedPrekey,
)
from messenger.wire.paging import Items


class KeyEndpoints:
    """One method for each call; the rules are the domain's."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    @route(
        "PUT",
        "/keys/identity",
        body=IdentityKey,
        errors=(Code.identity_key_immutable, Code.unprocessable),
    )
    async def set_identity(self, call: Call, body: IdentityKey) -> None:
        """Publish this device's identity key, once."""
        await self._keys.set_identity(call.identity, body)

    @route("PUT", "/keys/signed-prekey", body=SignedPrekey, errors=(Code.conflict, Code.unprocessable))
    async def set_signed_prekey(self, call: Call, body: SignedPrekey) -> None:
        """Publish this device's signed prekey."""
        await self._keys.set_signed_prekey(call.identity, body)

    @route(
        "POST",
        "/keys/one-time-prekeys",
        body=OneTimePrekeys,
        answer=OneTimePrekeyCount,
        errors=(Code.conflict, Code.unprocessable),
    )
    async def add_one_time_prekeys(self, call: Call, body: OneTimePrekeys) -> OneTimePrekeyCount:
        """Store one-time prekeys, all or none."""
        return OneTimePrekeyCount(await self._keys.add_one_time_prekeys(call.identity, body))

    @route(
        "POST",
        "/keys/kem-prekeys",
        body=KemPrekeys,
        answer=KemPrekeyCount,
        errors=(Code.conflict, Code.unprocessable),
    )
    async def add_kem_prekeys(self, call: Call, body: KemPrekeys) -> KemPrekeyCount:
        """Store ML-KEM-1024 prekeys, all or none."""
        return KemPrekeyCount(await self._keys.add_kem_prekeys(call.identity, body))

    @route("GET", "/keys/status", answer=KeyStatus)
    async def status(self, call: Call) -> KeyStatus:
        """This device's published keys, by count and age."""
        return await self._keys.status(call.identity)

    @route("GET", "/keys/identity/{user_id}", answer=Identities, errors=(Code.not_found,))
    async def identities(self, call: Call) -> Identities:
        """The identity keys of a user's published devices; of oneself, also those that wait."""
        return await self._keys.identities(call.params["user_id"], call.identity.user_id)

    @route(
        "POST",
        "/keys/claim",
        body=Claim,
        answer=Items[Bundle],
        class_="claim",
        errors=(Code.not_found, Code.rate_limited),
    )
    async def claim(self, call: Call, body: Claim) -> Items[Bundle]:
        """Take a bundle of each device, with a one-time prekey that nobody else gets."""
        return Items(await self._keys.claim(call.identity, body))

    @route(
        "PUT",
        "/keys/device-list",
        body=DeviceList,
        errors=(Code.conflict, Code.forbidden, Code.unprocessable),
    )
    async def set_list(self, call: Call, body: DeviceList) -> None:
        """Publish which devices are the user's, signed by its account key."""
        await self._keys.set_list(call.identity, body)
