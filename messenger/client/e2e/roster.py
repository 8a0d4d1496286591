"""A group's membership as its members keep it: a roster has a version, and for each member a role and the
account key under which it is in.

    digest = SHA-256("messenger-roster-1" 0x00 conversation_id version (8)
                     then of each member by rising user_id: user_id account_key role (1))

A change counts if it makes the next version of the very roster that stands, and its author may do each part
of it. Of two changes to one version the one at the lower place counts, so that all members agree
(docs/encryption.md, "Rosters"). Version 0 is what a device knew of a group from before rosters: nobody
vouches for it, its account keys may be empty, and it is never handed on.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from messenger.client.e2e.bodies import Role, RosterBody, RosterChange, RosterMember
from messenger.client.e2e.errors import RosterRefused
from messenger.client.e2e.primitives import id_bytes, sha256

LABEL = b"messenger-roster-1\0"
MAX_MEMBERS = 400  # as many as one message has room for

_RANK: dict[Role, int] = {"member": 1, "admin": 2, "owner": 3}
_ROLE_BYTE: dict[Role, bytes] = {"owner": b"\x01", "admin": b"\x02", "member": b"\x03"}


class Entry(Struct, frozen=True):
    """A member; `account_key` is 32 bytes, or empty in version 0."""

    user_id: str
    account_key: bytes
    role: Role


class Roster(Struct, frozen=True):
    """One version of a conversation's roster, its members by rising user_id."""

    conversation_id: str
    version: int
    members: tuple[Entry, ...]

    @classmethod
    def of(cls, conversation_id: str, version: int, members: Iterable[Entry]) -> "Roster":
        """A roster of these members. RosterRefused where it names one twice, or, above version 0, has not
        just one owner, or over 400 members; Malformed where an id is none."""
        entries = tuple(sorted(members, key=lambda one: id_bytes(one.user_id)))
        if len({one.user_id for one in entries}) != len(entries):
            raise RosterRefused("A roster names a member twice.")
        if len(entries) > MAX_MEMBERS and version:
            raise RosterRefused(f"A roster has room for {MAX_MEMBERS} members.")
        if entries and version and sum(one.role == "owner" for one in entries) != 1:
            raise RosterRefused("A roster has one owner.")
        return cls(conversation_id, version, entries)

    @classmethod
    def of_body(cls, conversation_id: str, body: RosterBody) -> "Roster":
        """The roster that a member handed over. RosterRefused."""
        entries = (Entry(one.user_id, one.account_key, one.role) for one in body.members)
        return cls.of(conversation_id, body.version, entries)

    def body(self) -> RosterBody:
        """The whole roster, to be handed over."""
        return RosterBody(version=self.version, members=[_member(one) for one in self.members])

    def member(self, user_id: str) -> Entry | None:
        """The member with this user_id."""
        return next((one for one in self.members if one.user_id == user_id), None)

    def role_of(self, user_id: str) -> Role | None:
        """The role of a user; None for who is not in it."""
        found = self.member(user_id)
        return None if found is None else found.role

    def leads(self, user_id: str) -> bool:
        """Whether a user is owner or admin."""
        return self.role_of(user_id) in ("owner", "admin")

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for just this roster."""
        head = LABEL + id_bytes(self.conversation_id) + self.version.to_bytes(8, "big")
        entries = (id_bytes(one.user_id) + one.account_key + _ROLE_BYTE[one.role] for one in self.members)
        return sha256(head, *entries)

    def change(self, put: Sequence[Entry], remove: Sequence[str]) -> RosterChange:
        """The change that makes the next version."""
        return RosterChange(
            version=self.version + 1,
            previous=self.digest,
            put=[_member(one) for one in put],
            remove=list(remove),
        )

    def changed(self, change: RosterChange, author: str) -> "Roster":
        """The next version by a change of this author's. RosterRefused where it does not count."""
        if change.version != self.version + 1 or change.previous != self.digest:
            raise RosterRefused("A change rests on another roster than the one that stands.")
        put = [Entry(one.user_id, one.account_key, one.role) for one in change.put]
        named = [one.user_id for one in put] + change.remove
        if not named or len(set(named)) != len(named):
            raise RosterRefused("A change of the roster says nothing, or two things of one member.")
        _check(self, author, put, change.remove)
        left = [one for one in self.members if one.user_id not in named]
        return Roster.of(self.conversation_id, change.version, [*left, *put])


def _member(entry: Entry) -> RosterMember:
    return RosterMember(user_id=entry.user_id, account_key=entry.account_key, role=entry.role)


def _check(roster: Roster, author: str, put: Sequence[Entry], remove: Sequence[str]) -> None:
    """RosterRefused unless the author may do each part."""
    own = roster.role_of(author)
    if own is None:
        raise RosterRefused("Somebody who is not in the roster changes it.")
    hands_on = own == "owner" and any(one.role == "owner" and one.user_id != author for one in put)
    for user_id in remove:
        role = roster.role_of(user_id)
        if role is None:
            raise RosterRefused("A change removes somebody who is not in the roster.")
        if user_id != author and (own == "member" or _RANK[role] >= _RANK[own]):
            raise RosterRefused(f"A {own} removes the {role}.")
    for entry in put:
        _check_put(roster.member(entry.user_id), entry, author, own, hands_on)


def _check_put(before: Entry | None, entry: Entry, author: str, own: Role, hands_on: bool) -> None:
    if before is None:
        allowed = own != "member" and _RANK[entry.role] < _RANK[own]
    elif entry.user_id == author:
        allowed = hands_on and entry.role == "admin" and entry.account_key == before.account_key
    elif entry.role == before.role:
        allowed = own != "member" and entry.account_key != before.account_key  # confirms a new account key
    elif entry.role == "owner":
        allowed = hands_on and entry.account_key == before.account_key
    else:
        allowed = own == "owner"
    if not allowed:
        raise RosterRefused(f"A {own} may not make this change of the roster.")


def entry_with(entry: Entry, *, role: Role | None = None, account_key: bytes | None = None) -> Entry:
    """A member with another role or account key."""
    return replace(entry, role=role or entry.role, account_key=account_key or entry.account_key)
