"""The store: encrypted, one writer, whole after any kill, brought up to date and never back."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from messenger.client import events
from messenger.client.e2e import AccountKey
from messenger.client.engine.vault import Store, Vault
from messenger.client.errors import (
    NoProfile,
    ProfileExists,
    ProfileLocked,
    StoreCorrupt,
    StoreTooNew,
    WrongPassphrase,
)
from messenger.client.store.database import Database
from messenger.client.store.schema import STEPS
from messenger.client.store.unlock import Passphrase, SystemKeyring, read_key_file

UNLOCK = Passphrase("of the tests", memory_kib=64)
KEY = bytes(range(32))


async def made(profile: Path) -> None:
    """A profile with one fact."""
    vault = await Vault.open(profile, UNLOCK, create=True)
    await vault.run(lambda store: store.account.set("username", "ann-the-secret-name"))
    await vault.close()


def test_nothing_is_readable_without_the_passphrase(tmp_path: Path) -> None:
    asyncio.run(made(tmp_path / "p"))
    files = [path for path in (tmp_path / "p").iterdir() if path.is_file()]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert not any(b"ann-the-secret-name" in path.read_bytes() for path in files)
    with pytest.raises(WrongPassphrase):
        asyncio.run(Vault.open(tmp_path / "p", Passphrase("another", memory_kib=64)))
    with pytest.raises(WrongPassphrase, match="passphrase"):
        asyncio.run(Vault.open(tmp_path / "p", SystemKeyring()))


def test_profiles_are_made_once_and_opened_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(NoProfile):
        asyncio.run(Vault.open(tmp_path / "none", UNLOCK))
    asyncio.run(made(tmp_path / "p"))
    with pytest.raises(ProfileExists):
        asyncio.run(Vault.open(tmp_path / "p", UNLOCK, create=True))
    with pytest.raises(ValueError, match="empty"):
        Passphrase("")


def test_damage_is_named(tmp_path: Path) -> None:
    asyncio.run(made(tmp_path / "p"))
    store = tmp_path / "p" / "store.db"
    raw = bytearray(store.read_bytes())
    raw[100] ^= 1
    store.write_bytes(bytes(raw))
    with pytest.raises(StoreCorrupt):
        asyncio.run(Vault.open(tmp_path / "p", UNLOCK))
    (tmp_path / "p" / "key.json").write_text("{}")
    with pytest.raises(StoreCorrupt):
        read_key_file(tmp_path / "p")


def test_a_second_opener_is_told_until_the_first_is_killed(tmp_path: Path) -> None:
    asyncio.run(made(tmp_path / "p"))
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from messenger.client.engine.vault import Vault\n"
        "from messenger.client.store.unlock import Passphrase\n"
        "async def hold():\n"
        "    await Vault.open(Path(sys.argv[1]), Passphrase('of the tests', memory_kib=64))\n"
        "    print('open', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(hold())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "p")], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(ProfileLocked, match=str(holder.pid)):
            asyncio.run(Vault.open(tmp_path / "p", UNLOCK))
        holder.kill()
        holder.wait()
    asyncio.run(asyncio.wait_for(_open_and_close(tmp_path / "p"), 10))


async def _open_and_close(profile: Path) -> None:
    await (await Vault.open(profile, UNLOCK)).close()


def test_what_fails_leaves_no_trace_in_store_or_memory(tmp_path: Path) -> None:
    async def play() -> None:
        vault = await Vault.open(tmp_path / "p", UNLOCK, create=True)
        account = AccountKey.create()
        seed = account.seed
        await vault.run(lambda store: store.states.save("own", account))

        def half(store: Store) -> None:
            found = store.states.get(AccountKey, "own")
            assert found is not None
            found.seed = bytes(32)
            store.states.save("own", found)
            store.account.set("name", "x")
            store.tell(events.DeviceApproved())
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            await vault.run(half)
        found = await vault.run(lambda store: store.states.get(AccountKey, "own"))
        assert found is not None
        assert found.seed == seed
        assert await vault.run(lambda store: store.account.get("name")) is None
        assert await vault.run(lambda store: store.journal.after(0, 10)) == []
        await vault.close()

    asyncio.run(play())


def test_killed_at_any_moment_a_transaction_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """A child writes two facts a transaction and says which are committed; it is killed while it does."""
    asyncio.run(made(tmp_path / "p"))
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from messenger.client.engine.vault import Vault\n"
        "from messenger.client.store.unlock import Passphrase\n"
        "async def write():\n"
        "    vault = await Vault.open(Path(sys.argv[1]), Passphrase('of the tests', memory_kib=64))\n"
        "    def both(store):\n"
        "        number = int(store.account.get('a') or 0) + 1\n"
        "        store.account.set('a', str(number)); store.account.set('b', str(number))\n"
        "        return number\n"
        "    while True:\n"
        "        print(await vault.run(both), flush=True)\n"
        "asyncio.run(write())\n"
    )
    said = 0
    for lines in (1, 7, 20):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "p")], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                said = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            said = int((writer.stdout.read().split() or [said])[-1])
        a, b = asyncio.run(_facts(tmp_path / "p"))
        assert a == b
        assert a >= said


async def _facts(profile: Path) -> tuple[int, int]:
    vault = await Vault.open(profile, UNLOCK)
    found = await vault.run(
        lambda store: (int(store.account.get("a") or 0), int(store.account.get("b") or 0))
    )
    await vault.close()
    return found


def test_migrations_go_forward_and_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Database(path, KEY, STEPS[:1]).close()
    newer = (*STEPS, "create table more (a integer); create index more_a on more (a)")
    again = Database(path, KEY, newer)
    assert again.one("select count(*) from more") == (0,)
    again.close()
    with pytest.raises(StoreTooNew):
        Database(path, KEY, STEPS)
    broken = (*newer, "create table last (a integer); create nonsense")
    with pytest.raises(Exception, match="nonsense"):
        Database(path, KEY, broken)
    whole = Database(path, KEY, newer)
    assert whole.one("select count(*) from sqlite_master where name = 'last'") == (0,)
    whole.close()


def test_an_expired_message_is_gone_at_once_and_another_stays(tmp_path: Path) -> None:
    def add(store: Store, client_id: str, expires_at: str | None) -> None:
        store.messages.add(
            conversation_id="c",
            client_id=client_id,
            sender_id="u",
            sender_device_id="d",
            seq=None,
            kind="text",
            text=client_id,
            file=None,
            reply_to=None,
            outgoing=False,
            sent_at="t",
            received_at="t",
            created_at=None,
            state="received",
            expires_at=expires_at,
        )

    def put(store: Store) -> None:
        add(store, "kept", None)
        add(store, "later", "2999-01-01T00:00:00.000Z")
        add(store, "over", "2001-01-01T00:00:00.000Z")

    async def texts() -> list[tuple[str, str]]:
        vault = await Vault.open(tmp_path / "p", UNLOCK, create=True)
        await vault.run(put)
        found = await vault.run(lambda store: store.messages.history("c", 10, None))
        await vault.close()
        return [(one.text, one.state) for one in found]

    assert asyncio.run(texts()) == [("kept", "received"), ("later", "received"), ("", "deleted")]
