"""The calls under /vault."""

from messenger.core.http.answers import Answer
from messenger.core.http.call import Call
from messenger.core.http.conditions import Verdict, judge
from messenger.core.http.routing import route
from messenger.keys.vault.domain import Vault, precondition_failed
from messenger.wire.errors import Code
from messenger.wire.paging import Items
from messenger.wire.vault import VaultContent, VaultItem, VaultName, VaultVersion

_CONDITIONS = {
    "If-Match": "The version that has to stand, in quotes, or `*` for any.",
    "If-None-Match": "The version that must not stand, in quotes, or `*` for none at all.",
}


class VaultEndpoints:
    """One method for each call; the rules are the domain's."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @route("GET", "/vault", answer=Items[VaultName])
    async def names(self, call: Call) -> Items[VaultName]:
        """The names under which something is kept, with their versions."""
        return Items(await self._vault.names(call.identity.user_id))

    @route(
        "GET",
        "/vault/{name}",
        answer=VaultItem,
        also=(304,),
        errors=(Code.not_found, Code.precondition_failed),
        headers=_CONDITIONS,
    )
    async def get(self, call: Call) -> Answer:
        """A vault item, by its name."""
        found = await self._vault.get(call.identity.user_id, call.params["name"])
        verdict = _verdict(call, found.version, safe=True)
        if verdict is Verdict.failed:
            raise precondition_failed(found.version)
        headers = {"ETag": _tag(found.version)}
        if verdict is Verdict.not_modified:
            return Answer(304, None, headers)
        return Answer(200, found, headers)

    @route(
        "PUT",
        "/vault/{name}",
        body=VaultContent,
        answer=VaultVersion,
        errors=(Code.not_found, Code.precondition_failed, Code.too_large, Code.unprocessable),
        headers=_CONDITIONS,
    )
    async def put(self, call: Call, body: VaultContent) -> VaultVersion:
        """Keep sealed content, at most 64 KiB, under one of 100 names, each 1 to 64 of `a-z0-9._-`."""
        user_id, name = call.identity.user_id, call.params["name"]
        version = await self._vault.put(user_id, name, bytes(body.content), lambda one: _holds(call, one))
        call.answer_headers["ETag"] = _tag(version)
        return VaultVersion(version)

    @route(
        "DELETE",
        "/vault/{name}",
        errors=(Code.not_found, Code.precondition_failed),
        headers=_CONDITIONS,
    )
    async def delete(self, call: Call) -> None:
        """Take a name and its content away."""
        await self._vault.delete(call.identity.user_id, call.params["name"], lambda one: _holds(call, one))


def _tag(version: int) -> str:
    return f'"{version}"'


def _verdict(call: Call, version: int | None, *, safe: bool) -> Verdict:
    tag = None if version is None else _tag(version)
    return judge(tag, call.header("If-Match"), call.header("If-None-Match"), safe=safe)


def _holds(call: Call, version: int | None) -> bool:
    return _verdict(call, version, safe=False) is Verdict.proceed
