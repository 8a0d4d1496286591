"""The store and all encryption, in one thread of its own, one transaction after the other.

An application's event loop is never held up by a commit, by Argon2id or by a ratchet, and state objects are
touched by one thread only. Whatever a piece of work changes (ratchet states, plaintext, events) is committed
together, or not at all; then the memory of state objects is dropped, too.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from messenger.client import events
from messenger.client.e2e import (
    DeviceKeys,
    Edit,
    KnownUser,
    PeerSessions,
    ResendRequest,
    Resent,
    SentMessage,
)
from messenger.client.e2e.bodies import decode_body, encode_body
from messenger.client.e2e.errors import BadState
from messenger.client.e2e.payload import decode_payload
from messenger.client.errors import NoProfile, ProfileExists, StoreCorrupt
from messenger.client.store.account import Account
from messenger.client.store.conversations import Conversations
from messenger.client.store.database import STORE_FILE, Database
from messenger.client.store.history import History
from messenger.client.store.journal import Journal
from messenger.client.store.lock import Lock
from messenger.client.store.messages import Messages
from messenger.client.store.outbox import Outbox
from messenger.client.store.states import States
from messenger.client.store.unlock import KEY_FILE, Unlock, create_key, read_key_file, stored_key
from messenger.wire.times import rfc3339

T = TypeVar("T")


class Settled(Struct, frozen=True):
    """An own message is at the server, or was refused: then with a code and a sentence."""

    client_id: str
    code: str | None = None
    detail: str = ""


class Store:
    """The tables and states that a piece of work may use, and the events that it causes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.account = Account(database)
        self.states = States(database)
        self.conversations = Conversations(database)
        self.messages = Messages(database)
        self.outbox = Outbox(database)
        self.history = History(database)
        self.journal = Journal(database, self.account, self.messages)
        self.has_events = False  # a durable event was written
        self.settled: list[Settled] = []

    @property
    def user_id(self) -> str:
        """The own user."""
        return self.account.get("user_id") or ""

    @property
    def device_id(self) -> str:
        """The own device."""
        return self.account.get("device_id") or ""

    def keys(self) -> DeviceKeys:
        """The own device's keys."""
        found = self.states.get(DeviceKeys, "own")
        if found is None:
            raise StoreCorrupt("The profile has no keys of its device.")
        return found

    def known(self, user_id: str) -> KnownUser:
        """What is known of a user."""
        return self.states.get(KnownUser, user_id) or KnownUser(user_id)

    def sessions(self, user_id: str, device_id: str) -> PeerSessions:
        """The sessions with a device."""
        return self.states.get(PeerSessions, device_id) or PeerSessions(user_id, device_id)

    def forget_sent(self, client_id: str, *, edited: bool) -> None:
        """Keep nothing of an own message for who might ask or has asked for it again, nor of its edits."""
        self.states.drop(SentMessage, client_id)
        self._forget_answers(client_id)
        for other in self.states.keys(SentMessage) if edited else ():
            sent = self.states.get(SentMessage, other)
            body = None if sent is None else sent.body()
            if isinstance(body, Edit) and body.message.client_id == client_id:
                self.states.drop(SentMessage, other)
                self._forget_answers(other)

    def _forget_answers(self, client_id: str) -> None:
        """What is on its way to who has asked for a message; sealed, it goes out as it is."""
        for other, raw, sealed in self.outbox.bodies():
            body = decode_body(raw)
            if not isinstance(body, Resent) or decode_payload(body.payload).client_id != client_id:
                continue
            if sealed:
                self.outbox.blank(other, bytes(encode_body(ResendRequest(client_id=client_id))))
            else:
                self.outbox.remove(other)
                self.settled.append(Settled(other))

    def tell(self, event: events.Durable) -> None:
        """Write a durable event."""
        self.journal.add(event)
        self.has_events = True


class Vault:
    """An open profile."""

    def __init__(self, profile: Path, lock: Lock, database: Database, worker: ThreadPoolExecutor) -> None:
        self.profile = profile
        self._lock = lock
        self._store = Store(database)
        self._worker = worker
        self._closed = False
        # Called on the event loop, after durable events, and for own messages that are through or refused.
        self.on_news: Callable[[], None] = lambda: None
        self.on_settled: Callable[[Settled], None] = lambda _: None

    @property
    def closed(self) -> bool:
        """Whether nothing can be done any more."""
        return self._closed

    @classmethod
    async def open(cls, profile: Path, unlock: Unlock, *, create: bool = False) -> "Vault":
        """Open a profile, or make it. NoProfile, ProfileExists, ProfileLocked, WrongPassphrase ..."""
        worker = ThreadPoolExecutor(1, thread_name_prefix="messenger-store")
        try:
            return await asyncio.get_running_loop().run_in_executor(
                worker, cls._open, profile, unlock, create, worker
            )
        except BaseException:
            worker.shutdown(wait=False)
            raise

    @classmethod
    def _open(cls, profile: Path, unlock: Unlock, create: bool, worker: ThreadPoolExecutor) -> "Vault":
        if create:
            profile.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not profile.is_dir():
            raise NoProfile(f"There is no profile in {profile}: register or log in first.")
        lock = Lock(profile)
        try:
            file = read_key_file(profile)
            if create and file is not None:
                raise ProfileExists(f"There is a profile in {profile} already.")
            if not create and file is None:
                raise NoProfile(f"There is no profile in {profile}: register or log in first.")
            key = create_key(profile, unlock) if file is None else stored_key(file, unlock)
            return cls(profile, lock, Database(profile / STORE_FILE, key), worker)
        except BaseException:
            lock.release()
            raise

    async def run(self, work: Callable[[Store], T]) -> T:
        """Do a piece of work as one transaction; what it raises undoes it."""
        if self._closed:
            raise RuntimeError("The client is closed.")
        loop = asyncio.get_running_loop()
        # Shielded: a caller that is cancelled must not leave half of it behind, and what was begun is done.
        done = loop.run_in_executor(self._worker, self._transact, work)
        result, news, settled = await asyncio.shield(done)
        for one in settled:
            self.on_settled(one)
        if news:
            self.on_news()
        return result

    def _transact(self, work: Callable[[Store], T]) -> tuple[T, bool, list["Settled"]]:
        store = self._store
        store.has_events, store.settled = False, []
        store.database.begin()
        try:
            # First of all, so that nothing ever reads what has expired.
            for client_id, edited in store.messages.expire(rfc3339(int(time.time() * 1000))):
                store.forget_sent(client_id, edited=edited)
            result = work(store)
            store.states.flush()
            store.database.commit()
        except BaseException as error:
            store.database.rollback()
            store.states.forget()
            if isinstance(error, BadState):
                raise StoreCorrupt(str(error)) from error
            raise
        return result, store.has_events, store.settled

    def discard(self) -> None:
        """Take away a profile that was made in vain. After `close`."""
        for name in (KEY_FILE, STORE_FILE, f"{STORE_FILE}-wal", f"{STORE_FILE}-shm"):
            (self.profile / name).unlink(missing_ok=True)

    async def close(self) -> None:
        """Finish what was begun, close the file and let others in."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._worker, self._store.database.close)
        self._lock.release()
        self._worker.shutdown(wait=False)
