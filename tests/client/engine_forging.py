"""What a device can say that no engine would have it say, rightly encrypted all the same."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from messenger.client.e2e import Payload, SendingChain, new_payload
from messenger.client.e2e.bodies import Known
from messenger.client.engine.vault import Store
from messenger.wire.codec import Binary, Uuid, encode
from messenger.wire.conversations import Draft, Envelope
from tests.client.e2e_world import Device, User
from tests.client.engine_talk import MOMENT, Talk

if TYPE_CHECKING:
    from tests.client.engine_world import Desk, World


class Forger:
    """The part of `Desk` that breaks rules."""

    device: Device
    user: User
    world: "World"
    run: Callable[[Callable[[Store], Any]], Any]
    learn: Callable[[str], None]

    def forge(self, talk: Talk, body: Known, to: "Desk", *, kind: str = "control", **members: Any) -> int:
        """Send one device what no honest client would, in a session with it; its place."""
        self._known(to)

        def put(store: Store) -> bytes:
            sessions = store.sessions(to.user.user_id, to.device.device_id)
            if sessions.needs_bundle(self.world.now):
                sessions.start(store.keys(), to.device.bundle(), now=self.world.now)
            payload = self._payload(store, talk, body, kind, {"number": 0, **members})
            envelope = sessions.seal(store.keys(), payload)
            store.states.save(to.device.device_id, sessions)
            return encode(
                Draft(
                    client_id=Uuid(payload.client_id),
                    kind=kind,
                    envelopes=[Envelope(Uuid(to.device.device_id), Binary(envelope))],
                    partial=True,
                )
            )

        return talk.file(self.device, self.run(put))

    def _payload(self, store: Store, talk: Talk, body: Known, kind: str, members: dict[str, Any]) -> Payload:
        return new_payload(
            store.keys(),
            conversation_id=talk.conversation_id,
            client_id=str(uuid4()),
            kind=kind,
            sent_at=MOMENT,
            list_version=store.known(store.user_id).list_version,
            body=body,
            **members,
        )

    def forge_content(self, talk: Talk, body: Known, *, kind: str = "control", **members: Any) -> int:
        """Send all who have this device's chain what no honest client would; its place."""

        def put(store: Store) -> bytes:
            chain = store.states.get(SendingChain, talk.conversation_id)
            row = store.conversations.get(talk.conversation_id)
            assert chain is not None
            assert row is not None
            numbered = {"number": row.next_number, **members}
            payload = self._payload(store, talk, body, kind, numbered)
            content = chain.seal(store.keys(), payload)
            store.states.save(talk.conversation_id, chain)
            store.conversations.set(talk.conversation_id, next_number=payload.number + 1)
            return encode(Draft(client_id=Uuid(payload.client_id), kind=kind, content=Binary(content)))

        return talk.file(self.device, self.run(put))

    def _known(self, other: "Desk") -> Any:
        self.learn(other.user.user_id)
        return self.run(lambda store: store.known(other.user.user_id).device(other.device.device_id))
