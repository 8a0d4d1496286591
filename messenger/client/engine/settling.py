"""An own message has got its place at the server, or will never get one."""

import time

from messenger.client import events
from messenger.client.e2e import SenderKey, SendingChain
from messenger.client.e2e.bodies import decode_body
from messenger.client.engine.vault import Settled, Shelf
from messenger.client.store.outbox import Queued
from messenger.wire.times import rfc3339

LONGEST_TTL = 31_536_000  # seconds, by the contract


def settle(shelf: Shelf, queued: Queued, seq: int, created_at: str) -> None:
    """It is committed: the outbox lets it go, and the message has its place."""
    conversation_id = queued.conversation_id
    row = shelf.conversations.get(conversation_id)
    assert row is not None
    shelf.outbox.remove(queued.client_id)
    shelf.conversations.put_place(conversation_id, seq, shelf.device_id, queued.client_id)
    if row.place is not None and seq == row.place + 1:
        shelf.conversations.set(conversation_id, place=seq)
    if queued.number:
        number = max(row.next_number, queued.number + 1)
        shelf.conversations.set(conversation_id, next_number=number)
    _give(shelf, queued)
    message = shelf.messages.find(conversation_id, shelf.device_id, queued.client_id)
    if message is not None and message.state != "deleted":
        shelf.messages.placed(int(message.id), seq, created_at, _expiry(row.message_ttl))
        placed = shelf.messages.get(int(message.id))
        assert placed is not None
        shelf.tell(events.MessageSent(message=placed))
    shelf.settled.append(Settled(queued.client_id))


def _expiry(ttl: int | None) -> str | None:
    """When a message that was sent now expires; `ttl` is in seconds, and the server's word."""
    if ttl is None:
        return None
    return rfc3339(int((time.time() + max(1, min(ttl, LONGEST_TTL))) * 1000))


def _give(shelf: Shelf, queued: Queued) -> None:
    """Who was sent a sender key has it now."""
    if queued.targets is None:
        return
    body = decode_body(queued.body)
    chain = shelf.states.get(SendingChain, queued.conversation_id)
    if isinstance(body, SenderKey) and chain is not None and chain.chain_id == body.chain_id:
        chain.give(queued.devices)
        shelf.states.save(queued.conversation_id, chain)


def fail(shelf: Shelf, queued: Queued, reason: str, detail: str, *, stored: bool) -> None:
    """The server will not take it. `stored`: an earlier try may have been taken all the same, so that its
    number must not be used again."""
    shelf.outbox.remove(queued.client_id)
    row = shelf.conversations.get(queued.conversation_id)
    if stored and queued.number and row is not None:
        number = max(row.next_number, queued.number + 1)
        shelf.conversations.set(queued.conversation_id, next_number=number)
    message = shelf.messages.find(queued.conversation_id, shelf.device_id, queued.client_id)
    if message is not None:
        shelf.messages.set_state(int(message.id), "failed")
        failed = shelf.messages.get(int(message.id))
        assert failed is not None
        shelf.tell(events.SendFailed(message=failed, reason=reason, detail=detail))
    shelf.settled.append(Settled(queued.client_id, reason, detail))
