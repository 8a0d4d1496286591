"""The password stays on the device: what is derived of it, what is refused, and what leaves."""

import hmac
import json
import os
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13

from messenger.client import (
    Client,
    KdfRefused,
    NoProfile,
    NotAllowed,
    Passphrase,
    WeakPassword,
    WrongPassphrase,
    account,
)
from messenger.client.e2e.errors import BareKdf, ExcessiveKdf, KdfError, UnknownKdf, WeakKdf
from messenger.client.e2e.password import Kdf, derive, judge, new_kdf
from messenger.client.net.http import Http
from messenger.client.passwords import known_kdf
from messenger.client.store import unlock
from messenger.client.store.unlock import change_passphrase, create_key, read_key_file, stored_key
from tests.client.password_server import (
    GOOD,
    OTHER,
    PASSWORD,
    UNLOCK,
    Json,
    Server,
    kdf_with,
    login,
    register,
    run,
    said,
    served,
)

VECTORS = Path(__file__).parents[2] / "docs" / "vectors" / "password.json"


# what is derived


def halves_again(password: str, kdf: Kdf) -> tuple[str, bytes]:
    """The two halves by libsodium and HMAC alone."""
    key = crypto_pwhash_alg(
        32, password.encode(), kdf.salt, kdf.passes, kdf.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13
    )
    pseudorandom = hmac.digest(bytes(32), key, "sha256")
    login, wrap = (
        hmac.digest(pseudorandom, info + b"\x01", "sha256")
        for info in (b"messenger-login-1", b"messenger-wrap-1")
    )
    return b64encode(login).decode(), wrap


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text())["derived"])
def test_the_vectors_hold_by_two_implementations(vector: Json) -> None:
    kdf = Kdf(**{**vector["kdf"], "salt": b64decode(vector["kdf"]["salt"])})
    derived = derive(vector["password"], kdf)
    assert (derived.login, derived.wrap.hex()) == (vector["login"], vector["wrap"])
    if kdf.lanes == 1 and len(kdf.salt) == 16:  # libsodium has no others
        assert halves_again(vector["password"], kdf) == (derived.login, derived.wrap)


def test_the_halves_tell_nothing_when_they_are_shown() -> None:
    derived = derive(PASSWORD, kdf_with(memory_kib=64, passes=1))
    assert len(b64decode(derived.login)) == len(derived.wrap) == 32
    assert b64decode(derived.login) != derived.wrap
    assert derived.login not in repr(derived)
    assert repr(derived.wrap) not in repr(derived)
    other = derive(PASSWORD, kdf_with(memory_kib=64, passes=1, salt=bytes(16)))
    assert other.login != derived.login


def test_new_parameters_are_todays_and_never_weaker_than_before() -> None:
    one, two = new_kdf(), new_kdf()
    assert (one.algorithm, one.memory_kib, one.passes, one.lanes) == ("argon2id", 65_536, 3, 1)
    assert len(one.salt) == 16
    assert one.salt != two.salt
    assert judge(one) == one
    stronger = kdf_with(memory_kib=131_072, passes=5, lanes=2)
    later = new_kdf(stronger)
    assert (later.memory_kib, later.passes, later.lanes) == (131_072, 5, 2)
    assert judge(later, known=stronger) == later
    assert later.salt != stronger.salt


# what is refused

LIES: list[tuple[dict[str, Any], type[KdfError]]] = [
    ({"memory_kib": 1_024}, WeakKdf),
    ({"memory_kib": 65_535}, WeakKdf),
    ({"memory_kib": -1}, WeakKdf),
    ({"passes": 1}, WeakKdf),
    ({"passes": 2}, WeakKdf),
    ({"passes": 0}, WeakKdf),
    ({"memory_kib": 1_048_577}, ExcessiveKdf),
    ({"memory_kib": 2**62}, ExcessiveKdf),
    ({"passes": 17}, ExcessiveKdf),
    ({"lanes": 17}, ExcessiveKdf),
    ({"lanes": 0}, ExcessiveKdf),
    ({"salt": b""}, ExcessiveKdf),
    ({"salt": bytes(15)}, ExcessiveKdf),
    ({"salt": bytes(65)}, ExcessiveKdf),
    ({"algorithm": "argon2i"}, UnknownKdf),
    ({"algorithm": "none"}, UnknownKdf),
]


@pytest.mark.parametrize(("lie", "error"), LIES)
def test_each_lie_about_the_work_has_its_name(lie: dict[str, Any], error: type[KdfError]) -> None:
    for known in (None, GOOD):
        with pytest.raises(error):
            judge(kdf_with(**lie), known=known, allow_bare=True)


def test_what_is_at_the_bounds_is_taken() -> None:
    for kdf in (GOOD, kdf_with(memory_kib=1_048_576, passes=16, lanes=16, salt=bytes(64))):
        assert judge(kdf) == kdf
    # Another salt, and more work: so a change of the password on another device looks.
    changed = kdf_with(salt=bytes(32), memory_kib=131_072)
    assert judge(changed, known=GOOD) == changed


def test_a_bare_password_is_for_who_allows_it_and_never_derived_one() -> None:
    with pytest.raises(BareKdf, match="--allow-bare-password"):
        judge(None)
    assert judge(None, allow_bare=True) is None
    for allowed in (False, True):
        with pytest.raises(BareKdf, match="before"):
            judge(None, known=GOOD, allow_bare=allowed)


def test_less_work_than_before_is_refused_even_above_the_least() -> None:
    known = kdf_with(memory_kib=131_072, passes=4)
    for less in (kdf_with(passes=4), kdf_with(memory_kib=131_072)):
        assert judge(less) == less
        with pytest.raises(WeakKdf, match="before"):
            judge(less, known=known)


# what leaves


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return served(monkeypatch)


def test_no_call_holds_the_password(server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        client = await register(tmp_path / "p")
        assert server.kdf["memory_kib"] == 65_536
        first = b64decode(server.kdf["salt"])
        half, wrap = halves_again(PASSWORD, kdf_with(salt=first))
        assert server.password == half
        with pytest.raises(NotAllowed):
            await client.remove_second_factor("not the password")
        await client.remove_second_factor(PASSWORD)
        await client.change_password(PASSWORD, OTHER)
        second = b64decode(server.kdf["salt"])
        assert second != first
        assert server.password == halves_again(OTHER, kdf_with(salt=second))[0]
        await client.close()
        client = await login(tmp_path / "p", OTHER)
        await client.delete_account(OTHER)
        await client.close()
        assert half.encode() in server.raw
        for spelling in (wrap, wrap.hex().encode(), b64encode(wrap)):
            assert spelling not in server.raw

    run(story)
    sent = server.posts()
    assert sent == ["/auth/register", "/auth/totp", "/auth/totp", "/auth/password", "/auth/login", "/auth/me"]
    for secret in (PASSWORD, OTHER, "not the password"):
        for spelling in (secret.encode(), json.dumps(secret)[1:-1].encode(), b64encode(secret.encode())):
            assert spelling not in server.raw


def test_weak_new_passwords_are_refused_before_anything_is_sent(server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        for weak in ("short", "Password123!", "ann" * 4, "x" * 1025, "\ud800" * 10):
            with pytest.raises(WeakPassword):
                await Client.register(tmp_path / "p", "http://server", "ann", weak, UNLOCK)
        assert not server.got
        assert not Client.exists(tmp_path / "p")
        client = await register(tmp_path / "p")
        server.got.clear()
        for weak in ("short", "Password123!"):
            with pytest.raises(WeakPassword):
                await client.change_password(PASSWORD, weak)
        assert not server.got
        await client.close()

    run(story)


@pytest.mark.parametrize(("lie", "error"), LIES)
def test_a_new_device_sends_nothing_to_who_lies(
    server: Server, tmp_path: Path, lie: dict[str, Any], error: type[KdfError]
) -> None:
    server.kdf = said(**lie)

    async def story() -> None:
        with pytest.raises(KdfRefused) as caught:
            await login(tmp_path / "p", allow_bare_password=True)
        assert caught.value.code == {
            WeakKdf: "weak_kdf", ExcessiveKdf: "excessive_kdf", UnknownKdf: "unknown_kdf"
        }[error]  # fmt: skip

    run(story)
    assert server.got == [("GET", "/auth/kdf", None)]
    assert not Client.exists(tmp_path / "p")


def test_a_bare_password_leaves_only_when_it_was_allowed(server: Server, tmp_path: Path) -> None:
    server.password = PASSWORD

    async def story() -> None:
        with pytest.raises(KdfRefused) as caught:
            await login(tmp_path / "p")
        assert caught.value.code == "bare_kdf"
        assert not server.posts()
        assert PASSWORD.encode() not in server.raw
        client = await login(tmp_path / "p", allow_bare_password=True)
        assert server.got[-1][2]["password"] == PASSWORD
        # Its next change of the password is the last bare one.
        await client.remove_second_factor(PASSWORD)
        await client.change_password(PASSWORD, OTHER)
        assert server.got[-1][2]["current_password"] == PASSWORD
        assert server.password == halves_again(OTHER, kdf_with(salt=b64decode(server.kdf["salt"])))[0]
        assert await client.engine.vault.run(known_kdf) is not None
        server.got.clear()
        server.kdf = None
        with pytest.raises(KdfRefused):
            await client.delete_account(OTHER)
        assert not server.posts()
        await client.close()

    run(story)
    assert json.dumps(OTHER)[1:-1].encode() not in server.raw
    assert OTHER.encode() not in server.raw


@pytest.mark.parametrize(
    "turned", [None, {"passes": 1}, {"memory_kib": 1_024}, {"memory_kib": 2**40}, {"algorithm": "plain"}]
)
def test_a_profile_that_derived_once_sends_nothing_to_a_server_that_has_turned(
    server: Server, tmp_path: Path, turned: dict[str, Any] | None
) -> None:
    async def story() -> None:
        client = await register(tmp_path / "p")
        honest, derived = server.kdf, server.password
        server.kdf = None if turned is None else {**honest, **turned}
        server.got.clear()
        server.raw = b""
        for call in (
            lambda: client.delete_account(PASSWORD),
            lambda: client.remove_second_factor(PASSWORD),
            lambda: client.change_password(PASSWORD, OTHER),
            lambda: account.start_session(client.engine.http, "ann", PASSWORD, client.device_id, None),
        ):
            with pytest.raises(KdfRefused):
                await call()
        await client.close()
        for allowed in (False, True):
            with pytest.raises(KdfRefused):
                await login(tmp_path / "p", allow_bare_password=allowed)
        assert {path for _, path, _ in server.got} == {"/auth/kdf"}
        assert PASSWORD.encode() not in server.raw
        assert derived.encode() not in server.raw
        assert Client.exists(tmp_path / "p")
        server.kdf = honest
        await (await login(tmp_path / "p")).close()

    run(story)


def test_a_known_profile_follows_another_salt(server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        await (await register(tmp_path / "p")).close()
        # The password was changed on another device.
        server.kdf = said(salt=b"t" * 16)
        server.password = halves_again(OTHER, kdf_with(salt=b"t" * 16))[0]
        client = await login(tmp_path / "p", OTHER)
        kept = await client.engine.vault.run(known_kdf)
        assert kept is not None
        assert kept.salt == b"t" * 16
        await client.close()

    run(story)


@pytest.mark.parametrize(
    "answer",
    [{}, {"kdf": 7}, {"kdf": {**said(), "salt": "no base64"}}, {"kdf": {"algorithm": "argon2id"}}, []],
)
def test_an_answer_that_is_none_ends_the_login(server: Server, tmp_path: Path, answer: Json) -> None:
    def http(url: str, _: object) -> Http:
        transport = httpx.MockTransport(lambda request: server(request) and httpx.Response(200, json=answer))
        return Http(url, timeout=5, patience=0, transport=transport)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(account, "_http", http)
        with pytest.raises(Exception, match="does not fit"):
            run(lambda: login(tmp_path / "p", allow_bare_password=True))
    assert not server.posts()


# the passphrase of the profile


def test_another_passphrase_opens_the_same_store(server: Server, tmp_path: Path) -> None:
    new = Passphrase("another passphrase", memory_kib=64)

    async def story() -> None:
        client = await register(tmp_path / "p")
        sent = len(server.got)
        with pytest.raises(WrongPassphrase):
            await client.change_passphrase(Passphrase("wrong"), new)
        await client.change_passphrase(UNLOCK, new)
        await client.close()
        with pytest.raises(WrongPassphrase):
            await Client.open(tmp_path / "p", UNLOCK)
        client = await Client.open(tmp_path / "p", new)
        assert client.username == "ann"
        await client.close()
        assert len(server.got) == sent

    run(story)


def test_the_file_is_the_old_one_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = Passphrase("another passphrase", memory_kib=64)
    key = create_key(tmp_path, UNLOCK)
    before = (tmp_path / "key.json").read_bytes()

    def opened(by: Passphrase) -> bytes:
        file = read_key_file(tmp_path)
        assert file is not None
        return stored_key(file, by)

    for place in ("fsync", "replace"):
        with monkeypatch.context() as patch:

            def crash(*_: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(*((os, "fsync") if place == "fsync" else (Path, "replace")), crash)
            with pytest.raises(KeyboardInterrupt):
                change_passphrase(tmp_path, UNLOCK, new)
        assert (tmp_path / "key.json").read_bytes() == before
        assert opened(UNLOCK) == key
    change_passphrase(tmp_path, UNLOCK, new)
    assert opened(new) == key
    with pytest.raises(WrongPassphrase):
        opened(UNLOCK)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["key.json"]
    assert (tmp_path / "key.json").stat().st_mode & 0o077 == 0


def test_the_new_file_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(tmp_path, UNLOCK)
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def watched_sync(descriptor: int) -> None:
        steps.append("sync")
        sync(descriptor)

    def watched_replace(path: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    change_passphrase(tmp_path, UNLOCK, Passphrase("another passphrase", memory_kib=64))
    assert steps == ["sync", "replace", "sync"]


def test_what_has_no_passphrase_gets_none(tmp_path: Path) -> None:
    with pytest.raises(NoProfile):
        change_passphrase(tmp_path, UNLOCK, UNLOCK)
    unlock.write_key_file(tmp_path, unlock.KeyFile(version=1, kind="keyring", entry="e"))
    before = sha256((tmp_path / "key.json").read_bytes()).digest()
    with pytest.raises(WrongPassphrase, match="keyring"):
        change_passphrase(tmp_path, UNLOCK, UNLOCK)
    assert sha256((tmp_path / "key.json").read_bytes()).digest() == before
