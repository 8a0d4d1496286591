"""Sending and reading messages."""

import re
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from messenger.core.clock import Clock
from messenger.messages.domain.devices import Devices
from messenger.messages.model import Draft, Head, HeadsEvent, Outcome, StoredChange, Unchanged
from messenger.wire import conversations
from messenger.wire.errors import Code, Problem, not_found
from messenger.wire.paging import Page
from messenger.wire.times import rfc3339

if TYPE_CHECKING:
    from messenger.messages.commits import Commits
    from messenger.messages.store.conversations import ConversationStore
    from messenger.messages.store.messages import MessageStore

_KIND = re.compile(r"[a-z0-9._-]{1,32}", re.ASCII)
_CURSOR = re.compile(r"([ab])([0-9]{1,19})", re.ASCII)
_TOP = 2**63 - 1
_OUTCOMES = {
    "not_found": Code.not_found,
    "gone": Code.gone,
    "blocked": Code.blocked,
    "busy": Code.unavailable,
}


class Sender(NamedTuple):
    """Who sends, and from where."""

    user_id: str
    device_id: str


class Messages:
    """The rules of sending, history and deletion.

    `content_limit` and `page_limit` are in bytes, `publish` sends
    what changed, `accepted` of each draft that may be committed how many seconds it took to say so.
    """

    def __init__(
        self,
        store: "MessageStore",
        membership: "ConversationStore",
        commits: "Commits",
        devices: Devices,
        clock: Clock,
        publish: Callable[[HeadsEvent], object],
        content_limit: int,
        page_limit: int,
        accepted: Callable[[float], object] = lambda _: None,
    ) -> None:
        self._store = store
        self._membership = membership
        self._commits = commits
        self._devices = devices
        self._clock = clock
        self._publish = publish
        self._content_limit = content_limit
        self._page_limit = page_limit
        self._accepted = accepted

    async def send(
        self, sender: Sender, conversation_id: str, draft: conversations.Draft
    ) -> tuple[conversations.Sent, bool]:
        """The message's number once it is committed, and whether this was a repeat.

        Problems: `not_found`, `gone`, `blocked`, `devices_changed`, `too_large`, `unprocessable`,
        `unavailable`.
        """
        admitted = await self.admit(sender, conversation_id, draft)
        return await self.commit(admitted) if isinstance(admitted, Draft) else (admitted, True)

    async def admit(
        self, sender: Sender, conversation_id: str, draft: conversations.Draft
    ) -> Draft | conversations.Sent:
        """Judge a draft: what is to be committed, or the number of the message that it repeats."""
        began = perf_counter()
        try:
            envelopes = self._check_form(draft)
            await self._check_devices(sender, conversation_id, draft, envelopes)
        except Problem as problem:
            # A repeat is answered with the first's figures, whatever its body.
            first = await self._first(sender, conversation_id, draft)
            if first is None:
                if problem.code is Code.devices_changed:
                    # In a conversation that is shut no devices would be the right ones.
                    shut = await self._membership.shut(conversation_id)
                    problem = Problem(_OUTCOMES[shut]) if shut else problem
                raise problem from None
            return _sent(first)
        self._accepted(perf_counter() - began)
        # Plain str and bytes from here on: the wire's own types are for decoding.
        return Draft(
            str(conversation_id),
            sender.user_id,
            sender.device_id,
            str(draft.client_id),
            draft.kind,
            None if draft.content is None else bytes(draft.content),
            envelopes,
        )

    async def commit(self, draft: Draft) -> tuple[conversations.Sent, bool]:
        """Commit what was admitted."""
        outcome = await self._commits.append(draft)
        if outcome.outcome in _OUTCOMES:
            raise Problem(_OUTCOMES[outcome.outcome])
        return _sent(outcome), outcome.outcome == "repeat"

    async def _first(
        self, sender: Sender, conversation_id: str, draft: conversations.Draft
    ) -> Outcome | None:
        if await self._membership.sight(sender.user_id, conversation_id) is None:
            raise not_found()
        return await self._store.repeat(conversation_id, sender.device_id, draft.client_id)

    def _check_form(self, draft: conversations.Draft) -> dict[str, bytes] | None:
        if not _KIND.fullmatch(draft.kind):
            raise Problem(Code.unprocessable, "A kind is 1 to 32 of a-z, 0-9, `.`, `_` and `-`.")
        if draft.content is None and not draft.envelopes:
            raise Problem(Code.unprocessable, "A message has content, envelopes or both.")
        if draft.partial and not draft.envelopes:
            raise Problem(Code.unprocessable, "A partial message names at least one device.")
        if draft.content is not None and len(draft.content) > self._content_limit:
            raise Problem(Code.too_large, f"A content has at most {self._content_limit} bytes.")
        if not draft.envelopes:
            return None
        envelopes: dict[str, bytes] = {
            envelope.device_id: bytes(envelope.content) for envelope in draft.envelopes
        }
        if len(envelopes) != len(draft.envelopes):
            raise Problem(Code.unprocessable, "Each device has one envelope.")
        if max(map(len, envelopes.values())) > self._content_limit:
            raise Problem(Code.too_large, f"An envelope has at most {self._content_limit} bytes.")
        return envelopes

    async def _check_devices(
        self,
        sender: Sender,
        conversation_id: str,
        draft: conversations.Draft,
        envelopes: dict[str, bytes] | None,
    ) -> None:
        if envelopes is None and draft.devices_digest is None:
            return
        known = await self._devices.of(conversation_id)
        if self._fits(sender, draft, envelopes, known.ids, known.digest):
            return
        # What was remembered may be behind the client's own view.
        known = await self._devices.of(conversation_id, fresh=True)
        if self._fits(sender, draft, envelopes, known.ids, known.digest):
            return
        named = frozenset(envelopes or ())
        wanted = known.ids - {sender.device_id} if envelopes is not None else named
        raise Problem(
            Code.devices_changed,
            members={
                "missing": [] if draft.partial else sorted(wanted - named),
                "extra": sorted(named - wanted),
                "digest": known.digest,
            },
        )

    @staticmethod
    def _fits(
        sender: Sender,
        draft: conversations.Draft,
        envelopes: dict[str, bytes] | None,
        ids: frozenset[str],
        digest: bytes,
    ) -> bool:
        if draft.devices_digest is not None and draft.devices_digest != digest:
            return False
        if envelopes is None:
            return True
        wanted = ids - {sender.device_id}
        return envelopes.keys() <= wanted if draft.partial else envelopes.keys() == wanted

    async def history(
        self, sender: Sender, conversation_id: str, query: conversations.MessagesQuery
    ) -> Page[conversations.Message]:
        """A page of messages within the member's sight, by rising seq.

        It ends at `limit` messages, or where those before the last hold `page_limit` bytes.
        """
        if query.after is not None and query.before is not None:
            raise Problem(Code.bad_request, "Either `after` or `before`.")
        first = (await self._sight(sender, conversation_id)).seq
        rising, start = query.after is not None, query.after if query.after is not None else query.before
        if query.cursor is not None:
            match = _CURSOR.fullmatch(query.cursor)
            if match is None or int(match[2]) > _TOP:
                raise Problem(Code.bad_request, "The cursor is none of ours.")
            rising, start = match[1] == "a", int(match[2])
        found, more = await self._store.history(
            conversation_id,
            sender.device_id,
            above=max(first - 1, start or 0) if rising else first - 1,
            below=_TOP if rising or start is None else start,
            rising=rising,
            limit=query.limit,
            size=self._page_limit,
        )
        cursor = None
        if more:
            cursor = f"a{found[-1].seq}" if rising else f"b{found[0].seq}"
        now = self._clock()
        return Page([item.seen_by(sender.device_id, now, conversations.Message) for item in found], cursor)

    async def changes(
        self, sender: Sender, conversation_id: str, query: conversations.ChangesQuery
    ) -> tuple[list[StoredChange], str | None]:
        """Changes above a number, and the cursor of the next page."""
        first = (await self._sight(sender, conversation_id)).change
        after = query.after
        if query.cursor is not None:
            match = _CURSOR.fullmatch(query.cursor)
            if match is None or match[1] != "a" or int(match[2]) > _TOP:
                raise Problem(Code.bad_request, "The cursor is none of ours.")
            after = int(match[2])
        after = max(after, first - 1)
        found = await self._store.changes([(conversation_id, after, _TOP)], query.limit + 1)
        if len(found) <= query.limit:
            return found, None
        return found[:-1], f"a{found[-2].change}"

    async def delete(self, sender: Sender, conversation_id: str, seq: int) -> None:
        """Take a message's content away: its sender may, and in a group an admin."""

        def judge(author: str | None, role: str, blocked: bool) -> None:
            if blocked:
                raise Problem(Code.blocked)
            if author != sender.user_id and role == "member":
                raise Problem(Code.forbidden, "Only its sender or an admin deletes a message.")

        done = await self._membership.delete_content(conversation_id, seq, sender.user_id, judge)
        if done is Unchanged.NOT_VISIBLE:
            raise not_found()
        if done is not Unchanged.SAME:
            self._publish(done)

    async def _sight(self, sender: Sender, conversation_id: str) -> Head:
        first = await self._membership.sight(sender.user_id, conversation_id)
        if first is None:
            raise not_found()
        return first


def _sent(outcome: Outcome) -> conversations.Sent:
    return conversations.Sent(outcome.seq, rfc3339(outcome.created))
