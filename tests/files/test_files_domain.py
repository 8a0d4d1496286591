"""The rules of files: what is stored, what is left of what failed, who may do what."""

from hashlib import sha256

import pytest

from messenger.files.domain import MAX_METADATA
from messenger.files.measured import RESERVE
from messenger.files.model import BlobLost, Bounds
from messenger.wire.errors import Code, Problem, unavailable
from tests.fakes import run
from tests.files.file_fakes import BOUNDS, LATE, Body, World


class ClientLeft(Exception):
    """What a body raises when its sender is gone."""


@pytest.fixture
def world() -> World:
    return World()


def refused(code: Code, coroutine: object) -> Problem:
    with pytest.raises(Problem) as caught:
        run(coroutine)  # type: ignore[arg-type]
    assert caught.value.code is code
    return caught.value


def test_what_is_stored_is_what_was_sent(world: World) -> None:
    found = run(world.files.upload("ada", Body(b"abc", b"def"), 6, "family", b"\x00meta"))
    assert (found.size, found.sha256, found.metadata) == (6, sha256(b"abcdef").digest(), b"\x00meta")
    assert run(world.files.body(found, "ben", 2, 3)) == b"cde"
    assert world.store.used == {"ada": 6}


def test_an_empty_file_is_a_file(world: World) -> None:
    assert world.upload(b"").sha256 == sha256(b"").digest()


def test_a_body_of_unknown_length_takes_what_it_needs(world: World) -> None:
    chunks = [bytes(400_000)] * 7
    found = run(world.files.upload("ada", Body(*chunks), None))
    assert found.size == 2_800_000
    assert world.store.used == {"ada": 2_800_000}


def test_a_body_of_unknown_length_may_fill_the_quota_to_the_last_byte() -> None:
    world = World(Bounds(size=10_000_000, quota=RESERVE + 10, files=5, unshared=1, abandoned=600))
    assert run(world.files.upload("ada", Body(bytes(RESERVE), bytes(10)), None)).size == RESERVE + 10
    refused(Code.too_large, world.files.upload("ada", Body(b"x"), None))


@pytest.mark.parametrize("length", [6, None])
def test_a_block_that_is_set_while_the_bytes_come_leaves_nothing(world: World, length: int | None) -> None:
    body = Body(b"abc", b"def", each=lambda: world.store.blocked.add("family"))
    refused(Code.blocked, world.files.upload("ada", body, length, "family"))
    world.clock.seconds += LATE
    run(world.files.sweep())
    assert world.empty()


@pytest.mark.parametrize("length", [7, None])
@pytest.mark.parametrize("failure", [ClientLeft(), unavailable("S3 is away")])
def test_a_body_that_breaks_off_leaves_nothing(world: World, length: int | None, failure: Exception) -> None:
    with pytest.raises(type(failure)):
        run(world.files.upload("ada", Body(b"abc", failure), length, "family"))
    world.clock.seconds += LATE
    run(world.files.sweep())
    assert world.empty()


@pytest.mark.parametrize("body", [b"abcdefgh", b"abcdef", b""])
def test_a_body_that_is_not_of_its_stated_length_leaves_nothing(world: World, body: bytes) -> None:
    refused(Code.bad_request, world.files.upload("ada", Body(body), 7))
    assert world.empty()


def test_a_file_that_is_too_large_is_refused_before_a_byte_is_read(world: World) -> None:
    def asked() -> None:
        raise AssertionError("the body was read")

    refused(Code.too_large, world.files.upload("ada", Body(each=asked), BOUNDS.size + 1))


def test_a_file_that_turns_out_too_large_leaves_nothing(world: World) -> None:
    chunks = [bytes(1_000_000)] * 11
    refused(Code.too_large, world.files.upload("ada", Body(*chunks), None))
    assert world.empty()


def test_the_quota_counts_what_is_stored_and_what_is_on_its_way(world: World) -> None:
    world.upload(bytes(9_000_000))

    def second_upload() -> None:
        refused(Code.too_large, world.files.upload("ada", Body(bytes(2_500_000)), 2_500_000))

    run(world.files.upload("ada", Body(bytes(9_000_000), each=second_upload), 9_000_000))
    world.upload(bytes(9_000_000), user="ben")


def test_a_deleted_file_gives_its_quota_back(world: World) -> None:
    first = world.upload(bytes(10_000_000))
    world.upload(bytes(10_000_000))
    refused(Code.too_large, world.files.upload("ada", Body(b"x"), 1))
    run(world.files.delete(first.file_id, "ada"))
    world.upload(bytes(10_000_000))


def test_files_are_counted_too(world: World) -> None:
    for _ in range(BOUNDS.files):
        world.upload(b"")
    refused(Code.too_large, world.files.upload("ada", Body(), 0))


def test_metadata_is_bounded(world: World) -> None:
    run(world.files.upload("ada", Body(b"x"), 1, None, bytes(MAX_METADATA)))
    refused(Code.too_large, world.files.upload("ada", Body(b"x"), 1, None, bytes(MAX_METADATA + 1)))


def test_who_is_no_member_can_not_put_a_file_into_a_conversation(world: World) -> None:
    refused(Code.not_found, world.files.upload("ada", Body(b"x"), 1, "others"))
    refused(Code.not_found, world.files.upload("ada", Body(b"x"), 1, "no such"))
    assert world.empty()


def test_an_upload_that_lives_is_not_swept(world: World) -> None:
    def slowly() -> None:
        world.clock.seconds += 200
        run(world.files.sweep())

    assert run(world.files.upload("ada", Body(*[b"x"] * 20, each=slowly), 20)).size == 20


def test_an_upload_whose_row_was_swept_fails_and_leaves_nothing(world: World) -> None:
    def asleep() -> None:
        world.clock.seconds += 10_000
        run(world.files.sweep())

    refused(Code.unavailable, world.files.upload("ada", Body(b"x", b"y", each=asleep), 2))
    world.clock.seconds += LATE
    run(world.files.sweep())
    assert world.empty()


def test_what_a_dead_instance_left_is_swept(world: World) -> None:
    killed = world.files.upload("ada", Body(b"abc", KeyboardInterrupt()), 6)  # type: ignore[arg-type]
    world.store.before_call = lambda name: _raise(KeyboardInterrupt()) if name == "drop" else None
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    world.store.before_call = lambda name: None
    run(world.files.sweep())
    assert world.store.rows
    world.clock.seconds += BOUNDS.abandoned + 1
    run(world.files.sweep())
    assert world.empty()


def _raise(error: BaseException) -> None:
    raise error


def test_a_commit_whose_answer_was_lost_leaves_no_file_that_nobody_knows_of(world: World) -> None:
    world.store.after_call = lambda name: _raise(unavailable("The database went away."))
    refused(Code.unavailable, world.files.upload("ada", Body(b"abc"), 3))
    world.clock.seconds += LATE
    run(world.files.sweep())
    assert world.empty()


def test_a_row_that_can_not_be_undone_now_is_undone_by_the_next_sweep(world: World) -> None:
    away = unavailable("The database went away.")
    world.store.after_call = lambda name: _raise(away)
    world.store.before_call = lambda name: _raise(away) if name == "drop" else None
    refused(Code.unavailable, world.files.upload("ada", Body(b"abc"), 3))
    assert world.store.rows
    world.store.before_call = lambda name: None
    run(world.files.sweep())
    assert world.empty()


def test_the_blob_of_a_failed_upload_is_removed_again_later(world: World) -> None:
    with pytest.raises(ClientLeft):
        run(world.files.upload("ada", Body(b"abc", ClientLeft()), 6))
    key = world.blobs.removed[0]
    world.blobs.blobs[key] = b"S3 finished it after all"
    world.clock.seconds += LATE
    run(world.files.sweep())
    assert not world.blobs.blobs
    assert not world.store.removals


def test_a_blob_that_can_not_be_removed_now_is_removed_later(world: World) -> None:
    found = world.upload()
    world.blobs.fail["remove"] = unavailable("S3 is away")
    run(world.files.delete(found.file_id, "ada"))
    refused(Code.not_found, world.files.find(found.file_id, "ada"))
    world.clock.seconds += 3_600
    run(world.files.sweep())
    assert world.blobs.blobs
    world.blobs.fail.clear()
    run(world.files.sweep())
    assert world.empty()
    assert not world.store.removals


def test_members_may_fetch_and_others_learn_nothing(world: World) -> None:
    file_id = world.upload(conversation="family").file_id
    assert run(world.files.readable(file_id, "ben")).conversation_ids == ["family"]
    for call in (world.files.readable, world.files.find, world.files.delete):
        refused(Code.not_found, call(file_id, "cy"))
    refused(Code.not_found, world.files.share(file_id, "cy", "others"))
    refused(Code.not_found, world.files.find("no such", "ada"))


def test_membership_counts_at_the_time_of_asking(world: World) -> None:
    file_id = world.upload(conversation="family").file_id
    world.store.members["family"] = {"ada", "cy"}
    refused(Code.not_found, world.files.readable(file_id, "ben"))
    run(world.files.readable(file_id, "cy"))


def test_an_uploader_who_has_left_may_not_fetch_but_may_delete(world: World) -> None:
    file_id = world.upload(conversation="family").file_id
    world.store.members["family"] = {"ben"}
    refused(Code.not_found, world.files.readable(file_id, "ada"))
    run(world.files.find(file_id, "ada"))
    run(world.files.delete(file_id, "ada"))
    refused(Code.not_found, world.files.readable(file_id, "ben"))


def test_what_no_conversation_holds_is_its_uploaders_alone(world: World) -> None:
    file_id = world.upload().file_id
    run(world.files.readable(file_id, "ada"))
    refused(Code.not_found, world.files.readable(file_id, "ben"))


def test_only_the_uploader_shares_and_deletes(world: World) -> None:
    file_id = world.upload(conversation="family").file_id
    refused(Code.forbidden, world.files.delete(file_id, "ben"))
    refused(Code.forbidden, world.files.share(file_id, "ben", "others"))


def test_sharing_opens_a_file_to_another_conversation(world: World) -> None:
    file_id = world.upload(conversation="family").file_id
    refused(Code.not_found, world.files.share(file_id, "ada", "others"))
    run(world.files.share(file_id, "ada", "work"))
    run(world.files.share(file_id, "ada", "work"))
    assert run(world.files.find(file_id, "cy")).conversation_ids == ["work"]
    assert run(world.files.find(file_id, "ada")).conversation_ids == ["family", "work"]


def test_expiry_follows_the_conversation_that_keeps_longest(world: World) -> None:
    found = world.upload(conversation="work")
    assert found.expires_at is not None
    assert found.expires_at.timestamp() == world.clock.seconds + 3_600
    run(world.files.share(found.file_id, "ada", "family"))
    assert run(world.files.find(found.file_id, "ada")).expires_at is None


def test_an_expired_file_is_gone_at_once_and_its_blob_after_the_sweep(world: World) -> None:
    found = world.upload(conversation="work")
    world.clock.seconds += 3_600
    refused(Code.not_found, world.files.find(found.file_id, "ada"))
    run(world.files.sweep())
    assert world.empty()


def test_what_no_conversation_holds_any_more_lives_for_a_day(world: World) -> None:
    found = world.upload(conversation="family")
    world.store.members["family"] = set()
    run(world.files.sweep())
    run(world.files.readable(found.file_id, "ada"))
    world.clock.seconds += BOUNDS.unshared
    run(world.files.sweep())
    assert world.empty()


def test_the_files_of_a_deleted_account_go(world: World) -> None:
    found = world.upload(conversation="family")
    world.store.deleted_users.add("ada")
    refused(Code.not_found, world.files.find(found.file_id, "ben"))
    run(world.files.sweep())
    assert world.empty()


def test_a_file_deleted_while_somebody_begins_to_fetch_it_is_not_found(world: World) -> None:
    found = world.upload(conversation="family")
    run(world.files.delete(found.file_id, "ada"))
    refused(Code.not_found, world.files.body(found, "ben", 0, 1))


def test_a_lost_blob_is_an_error_of_ours(world: World) -> None:
    found = world.upload(conversation="family")
    world.blobs.blobs.clear()
    with pytest.raises(BlobLost):
        run(world.files.body(found, "ben", 0, 1))
