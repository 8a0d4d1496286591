"""An own message has got its place at the server, or will never get one."""

from messenger.client import events
from messenger.client.e2e import RosterBody, RosterChange, SenderKey, SendingChain, Start
from messenger.client.e2e.bodies import decode_body
from messenger.client.engine import history, membership, rosters, starting
from messenger.client.engine.batch import Batch
from messenger.client.engine.telling import warn_of
from messenger.client.engine.vault import Settled, Shelf
from messenger.client.store.outbox import Queued


def settle(shelf: Shelf, batch: Batch, queued: Queued, seq: int, created_at: str) -> None:
    """It is committed: the outbox lets it go, and the message has its place."""
    conversation_id = queued.conversation_id
    row = shelf.conversations.get(conversation_id)
    assert row is not None
    shelf.outbox.remove(queued.client_id)
    shelf.history.keep(queued, batch.now)
    known = shelf.conversations.place(conversation_id, seq)
    if known is not None and known != (shelf.device_id, queued.client_id):
        warn_of(
            shelf,
            events.HistoryRewritten,
            "replaced",
            f"The server has put a message of yours at place {seq}, which held another one before.",
            conversation_id=conversation_id,
            user_id=shelf.user_id,
            device_id=shelf.device_id,
            seq=seq,
        )
    shelf.conversations.put_place(conversation_id, seq, shelf.device_id, queued.client_id)
    if seq == (row.place or 0) + 1:
        shelf.conversations.set(conversation_id, place=seq)
    if queued.number:
        number = max(row.next_number, queued.number + 1)
        shelf.conversations.set(conversation_id, next_number=number)
    if queued.again:
        history.settled_again(shelf, queued, seq)
        shelf.settled.append(Settled(queued.client_id))
        return
    _done(shelf, batch, queued, seq)
    message = shelf.messages.find(conversation_id, shelf.device_id, queued.client_id)
    if message is not None and message.state != "deleted":
        shelf.messages.placed(int(message.id), seq, created_at)
        placed = shelf.messages.get(int(message.id))
        assert placed is not None
        shelf.tell(events.MessageSent(message=placed))
    shelf.settled.append(Settled(queued.client_id))


def _done(shelf: Shelf, batch: Batch, queued: Queued, seq: int) -> None:
    """What a message of devices among themselves has come to, now that it has its place."""
    conversation_id = queued.conversation_id
    body = decode_body(queued.body) if queued.kind == "control" else None
    if isinstance(body, RosterChange):
        membership.settle_change(shelf, batch, queued, body, seq)
    elif queued.targets is None or isinstance(body, Start):
        starting.started(shelf, conversation_id, queued.devices)
    elif isinstance(body, SenderKey):
        chain = shelf.states.get(SendingChain, conversation_id)
        if chain is not None and chain.chain_id == body.chain_id:
            chain.give(queued.devices)
            shelf.states.save(conversation_id, chain)
    elif isinstance(body, RosterBody):
        rosters.given(shelf, conversation_id, queued.devices)


def fail(shelf: Shelf, queued: Queued, reason: str, detail: str, *, stored: bool) -> None:
    """The server will not take it. `stored`: an earlier try may have been taken all the same, so that its
    number must not be used again."""
    shelf.outbox.remove(queued.client_id)
    membership.forget_change(shelf, queued)
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
