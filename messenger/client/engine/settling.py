"""An own message has got its place at the server, or will never get one."""

from messenger.client import events
from messenger.client.e2e import RosterBody, RosterChange, SenderKey, SendingChain, Start
from messenger.client.e2e.bodies import decode_body
from messenger.client.engine import history, membership, rosters, starting
from messenger.client.engine.batch import Batch
from messenger.client.engine.telling import warn_of
from messenger.client.engine.vault import Settled, Store
from messenger.client.store.outbox import Queued


def settle(store: Store, batch: Batch, queued: Queued, seq: int, created_at: str) -> None:
    """It is committed: the outbox lets it go, and the message has its place."""
    conversation_id = queued.conversation_id
    row = store.conversations.get(conversation_id)
    assert row is not None
    store.outbox.remove(queued.client_id)
    store.history.keep(queued, batch.now)
    known = store.conversations.place(conversation_id, seq)
    if known is not None and known != (store.device_id, queued.client_id):
        warn_of(
            store,
            events.HistoryRewritten,
            "replaced",
            f"The server has put a message of yours at place {seq}, which held another one before.",
            conversation_id=conversation_id,
            user_id=store.user_id,
            device_id=store.device_id,
            seq=seq,
        )
    store.conversations.put_place(conversation_id, seq, store.device_id, queued.client_id)
    if seq == (row.place or 0) + 1:
        store.conversations.set(conversation_id, place=seq)
    if queued.number:
        number = max(row.next_number, queued.number + 1)
        store.conversations.set(conversation_id, next_number=number)
    if queued.again:
        history.settled_again(store, queued, seq)
        store.settled.append(Settled(queued.client_id))
        return
    _done(store, batch, queued, seq)
    message = store.messages.find(conversation_id, store.device_id, queued.client_id)
    if message is not None and message.state != "deleted":
        store.messages.placed(int(message.id), seq, created_at)
        placed = store.messages.get(int(message.id))
        assert placed is not None
        store.tell(events.MessageSent(message=placed))
    store.settled.append(Settled(queued.client_id))


def _done(store: Store, batch: Batch, queued: Queued, seq: int) -> None:
    """What a message of devices among themselves has come to, now that it has its place."""
    conversation_id = queued.conversation_id
    body = decode_body(queued.body) if queued.kind == "control" else None
    if isinstance(body, RosterChange):
        membership.settle_change(store, batch, queued, body, seq)
    elif queued.targets is None or isinstance(body, Start):
        starting.started(store, conversation_id, queued.devices)
    elif isinstance(body, SenderKey):
        chain = store.states.get(SendingChain, conversation_id)
        if chain is not None and chain.chain_id == body.chain_id:
            chain.give(queued.devices)
            store.states.save(conversation_id, chain)
    elif isinstance(body, RosterBody):
        rosters.given(store, conversation_id, queued.devices)


def fail(store: Store, queued: Queued, reason: str, detail: str, *, stored: bool) -> None:
    """The server will not take it. `stored`: an earlier try may have been taken all the same, so that its
    number must not be used again."""
    store.outbox.remove(queued.client_id)
    membership.forget_change(store, queued)
    row = store.conversations.get(queued.conversation_id)
    if stored and queued.number and row is not None:
        number = max(row.next_number, queued.number + 1)
        store.conversations.set(queued.conversation_id, next_number=number)
    message = store.messages.find(queued.conversation_id, store.device_id, queued.client_id)
    if message is not None:
        store.messages.set_state(int(message.id), "failed")
        failed = store.messages.get(int(message.id))
        assert failed is not None
        store.tell(events.SendFailed(message=failed, reason=reason, detail=detail))
    store.settled.append(Settled(queued.client_id, reason, detail))
