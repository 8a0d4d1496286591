"""What a sibling writes to a listed device that has not got its grant yet is asked for again."""

import asyncio
from pathlib import Path
from uuid import uuid4

from messenger.client import events
from messenger.client.e2e import ResendRequests
from messenger.client.engine import receiving
from messenger.client.engine.vault import Store, Vault
from messenger.client.store.unlock import Passphrase
from messenger.wire.conversations import Conversation, Message
from tests.client.e2e_world import NOW, SENT_AT, User

UNLOCK = Passphrase("of the tests", memory_kib=64)


def test_a_siblings_message_before_the_grant_is_asked_for_and_not_called_false(tmp_path: Path) -> None:
    user = User()
    old, new = user.device(), user.device()
    payload = old.payload(str(uuid4()), "between list and grant")
    message = Message(
        conversation_id=payload.conversation_id,
        seq=1,
        sender_id=user.user_id,
        sender_device_id=old.device_id,
        client_id=payload.client_id,
        kind=payload.kind,
        content=None,
        envelope=old.seal(new, payload),
        created_at=SENT_AT,
        expires_at=None,
        deleted=False,
    )
    group = Conversation(
        conversation_id=payload.conversation_id,
        type="group",
        metadata=None,
        message_ttl=None,
        ended_at=None,
        last_change=1,
        member_count=1,
        created_at=SENT_AT,
        updated_at=SENT_AT,
        role="owner",
        last_seq=1,
        first_seq=1,
        read_seq=0,
        unread=1,
    )
    batch = receiving.Batch(now=NOW, moment=SENT_AT)

    def take(store: Store) -> tuple[list[object], ResendRequests | None, str | None]:
        store.account.set("user_id", user.user_id)
        store.account.set("device_id", new.device_id)
        store.account.set("provisional", new.knows(user).to_bytes())
        store.states.save("own", new.keys)
        store.conversations.take(group)
        receiving.take_message(store, batch, message)
        queued = store.outbox.first(payload.conversation_id)
        return (
            [found for found in store.journal.after(0, 10) if isinstance(found, events.ServerWarning)],
            store.states.get(ResendRequests, "own"),
            queued and queued.kind,
        )

    async def taken() -> tuple[list[object], ResendRequests | None, str | None]:
        vault = await Vault.open(tmp_path / "p", UNLOCK, create=True)
        try:
            return await vault.run(take)
        finally:
            await vault.close()

    warnings, requests, queued = asyncio.run(taken())
    assert warnings == []
    assert requests is not None
    assert [said.client_id for said, _ in requests.pending] == [payload.client_id]
    assert queued == "control"
