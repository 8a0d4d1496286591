"""The rules of the vault: sealed things of a user's own, each under a name, with a version for each write.

Several devices of a user write the same name: each says by `If-Match` what it has read, so that none
overwrites what it has not seen (RFC 9110 section 13.1.1).
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from messenger.wire.errors import Code, Problem, not_found
from messenger.wire.vault import MAX_CONTENT, MAX_NAMES, VaultItem, VaultName

if TYPE_CHECKING:
    from messenger.keys.vault.store import VaultStore

_NAME = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)

Condition = Callable[[int | None], bool]
"""Whether a write may go on, given the version that stands, None where nothing does."""


class Vault:
    """All that is done with the vault."""

    def __init__(self, store: "VaultStore") -> None:
        self._store = store

    async def names(self, user_id: str) -> list[VaultName]:
        """The user's names with their versions, in order."""
        return await self._store.names(user_id)

    async def get(self, user_id: str, name: str) -> VaultItem:
        """The item under a name. Problem `not_found`."""
        found = await self._store.get(user_id, _checked(name))
        if found is None:
            raise _nothing()
        return found

    async def put(self, user_id: str, name: str, content: bytes, may: Condition) -> int:
        """Keep `content` under a name; its new version.

        Problem `precondition_failed` where `may` says no, `too_large` over 64 KiB, `unprocessable` where the
        user has 100 names already.
        """
        if len(content) > MAX_CONTENT:
            raise Problem(Code.too_large, f"At most {MAX_CONTENT:,} bytes are kept under a name.")

        def rule(standing: int | None, count: int) -> None:
            _check(may, standing)
            if standing is None and count >= MAX_NAMES:
                raise Problem(Code.unprocessable, f"A vault has at most {MAX_NAMES} names: delete one.")

        version = await self._store.put(user_id, _checked(name), content, rule)
        if version is None:
            raise Problem(Code.unauthorized, "The account was deleted.")
        return version

    async def delete(self, user_id: str, name: str, may: Condition) -> None:
        """Take a name and its content away. Problem `not_found`, `precondition_failed`."""

        def rule(standing: int | None) -> None:
            if standing is None:
                raise _nothing()
            _check(may, standing)

        await self._store.delete(user_id, _checked(name), rule)


def precondition_failed(standing: int | None) -> Problem:
    """The refusal of a call whose condition this version, or nothing, does not fulfil."""
    return Problem(
        Code.precondition_failed,
        "Another version stands than If-Match or If-None-Match asks for: read it again.",
        members={"version": standing},
    )


def _check(may: Condition, standing: int | None) -> None:
    if not may(standing):
        raise precondition_failed(standing)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise not_found("A name has 1 to 64 of a-z, 0-9, dot, underscore and hyphen.")
    return name


def _nothing() -> Problem:
    return not_found("Nothing is kept under this name.")
