"""Asking for messages again, gaps in what a sender wrote, and new devices."""

from uuid import uuid4

import msgspec
import pytest

from messenger.client.e2e import (
    AccountGrant,
    AccountKey,
    DeviceCode,
    Gap,
    InOrder,
    Late,
    Progress,
    ResendRequest,
    ResendRequests,
    Resent,
    SentMessage,
    Unknown,
    accept_grant,
    body_of,
    errors,
    grant,
    match_code,
)
from messenger.wire.keys import PendingDevice
from tests.client.e2e_world import NOW, Device, User, said_of

CONVERSATION = str(uuid4())


# a message again


def test_an_undecryptable_message_comes_again_over_a_new_session() -> None:
    alice, bob = User().device(), User().device()
    first = alice.payload(CONVERSATION)
    bob.open(alice, alice.seal(bob, first), said_of(first))
    answer = bob.payload(CONVERSATION)
    alice.open(bob, bob.seal(alice, answer), said_of(answer))
    del bob.sessions[alice.device_id]  # bob's store is lost, but for his keys

    lost = alice.payload(CONVERSATION, "read me")
    remembered = SentMessage.from_bytes(SentMessage.of(lost, [bob.device_id]).to_bytes())
    with pytest.raises(errors.NoSession):
        bob.open(alice, alice.seal(bob, lost), said_of(lost))

    requests = ResendRequests()
    body = requests.ask(said_of(lost), 7, now=NOW)
    assert body is not None
    question = bob.payload(CONVERSATION, kind="control", body=body)
    opened = alice.open(bob, bob.seal(alice, question), said_of(question))
    asked = body_of(opened.payload)
    assert isinstance(asked, ResendRequest)
    assert asked.client_id == lost.client_id

    again = remembered.again(bob.device_id, opened.payload.conversation_id)
    reply = alice.payload(CONVERSATION, kind="control", body=again)
    opened = bob.open(alice, alice.seal(bob, reply), said_of(reply))
    requests = ResendRequests.from_bytes(requests.to_bytes())
    assert requests.fulfil(opened.payload) == (lost, 7)
    assert requests.pending == []
    with pytest.raises(errors.NotResent):
        requests.fulfil(opened.payload)


def test_a_message_is_sent_again_only_to_whom_it_was_for_and_not_often() -> None:
    alice = User().device()
    payload = alice.payload(CONVERSATION)
    kept = SentMessage.of(payload, ["one"])
    for device, conversation in (("two", CONVERSATION), ("one", str(uuid4()))):
        with pytest.raises(errors.NotResent):
            kept.again(device, conversation)
    assert kept.again("one", CONVERSATION) == kept.again("one", CONVERSATION)
    with pytest.raises(errors.NotResent):
        kept.again("one", CONVERSATION)
    long = SentMessage.of(alice.payload(CONVERSATION, "x" * 50_000), ["one"])
    with pytest.raises(errors.NotResent):
        long.again("one", CONVERSATION)


def test_what_was_not_asked_for_is_not_taken_and_what_was_is_checked() -> None:
    alice, mallory = User().device(), User().device()
    lost = alice.payload(CONVERSATION)
    requests = ResendRequests()
    requests.ask(said_of(lost), 1, now=NOW)

    def answer(sender: Device, brought: bytes, conversation_id: str = CONVERSATION) -> object:
        return sender.payload(conversation_id, kind="control", body=Resent(payload=brought))

    encoded = SentMessage.of(lost, []).payload
    other = SentMessage.of(alice.payload(CONVERSATION), []).payload
    for refused in (
        answer(mallory, encoded),
        answer(alice, encoded, str(uuid4())),
        answer(alice, other),
        alice.payload(CONVERSATION),
    ):
        with pytest.raises(errors.NotResent):
            requests.fulfil(refused)
    forged = msgspec.json.encode(msgspec.structs.replace(lost, sender_id=mallory.user.user_id))
    with pytest.raises(errors.SenderMismatch):
        requests.fulfil(answer(alice, forged))
    with pytest.raises(errors.KindMismatch):
        requests.fulfil(answer(alice, msgspec.json.encode(msgspec.structs.replace(lost, kind="file"))))
    assert requests.fulfil(answer(alice, encoded)) == (lost, 1)


def test_questions_are_bounded() -> None:
    alice = User().device()
    requests, lost = ResendRequests(), said_of(alice.payload(CONVERSATION))
    assert [requests.ask(lost, 1, now=NOW) is not None for _ in range(4)] == [True, True, True, False]
    for number in range(50):
        assert requests.ask(said_of(alice.payload(CONVERSATION)), number, now=NOW)
    assert requests.ask(said_of(alice.payload(CONVERSATION)), 51, now=NOW) is None
    for _ in range(150):
        assert requests.ask(said_of(User().device(kem=0, one_time=0).payload(CONVERSATION)), 1, now=NOW)
    assert requests.ask(said_of(User().device().payload(CONVERSATION)), 1, now=NOW) is None
    assert len(requests.unanswered(NOW + 86_400)) == 200
    assert requests.ask(lost, 1, now=NOW + 86_400)


# gaps


def test_a_gap_in_a_senders_numbers_is_named_and_filled() -> None:
    progress = Progress()
    progress.expect(5)
    assert [progress.see(number, waiting=False) for number in (5, 6, 7)] == [InOrder()] * 3
    assert progress.see(11, waiting=False) == Gap(((8, 10),), 3)
    progress = Progress.from_bytes(progress.to_bytes())
    assert progress.missing == [(8, 10)]
    assert progress.see(9, waiting=False) == Late(9)
    assert progress.missing == [(8, 8), (10, 10)]
    assert [progress.see(8, waiting=False), progress.see(10, waiting=False)] == [Late(8), Late(10)]
    assert progress.missing == []
    for number in (11, 9, 5):
        with pytest.raises(errors.ReplayedMessage):
            progress.see(number, waiting=False)
    assert progress.see(4, waiting=False) == Late(4)  # from before it was counted: asked for again


def test_a_gap_before_the_first_message_shows_where_the_sender_said_its_number() -> None:
    progress = Progress()
    progress.expect(3)
    assert progress.see(5, waiting=False) == Gap(((3, 4),), 2)
    progress.expect(1)  # a chain given again moves nothing
    assert progress.see(6, waiting=False) == InOrder()


def test_numbers_begin_at_one() -> None:
    assert Progress().see(3, waiting=False) == Gap(((1, 2),), 2)


def test_a_place_that_is_gone_explains_one_number() -> None:
    progress = Progress()
    progress.see(1, waiting=False)
    progress.pass_over()
    assert progress.see(4, waiting=False) == Gap(((2, 3),), 1)
    assert progress.see(6, waiting=False) == Gap(((5, 5),), 1)


def test_a_gap_is_told_when_the_question_has_ended() -> None:
    progress = Progress()
    assert progress.see(4, waiting=True) == Gap(((1, 3),), 0)
    progress = Progress.from_bytes(progress.to_bytes())
    assert progress.see(2, waiting=True) == Late(2)
    assert progress.question_ended() == [(1, 1), (3, 3)]
    assert progress.question_ended() == []
    progress.see(7, waiting=True)
    progress.pass_over()
    assert progress.question_ended() == [(6, 6)]


def test_gaps_are_bounded() -> None:
    progress = Progress()
    for number in range(1, 1_000, 2):
        progress.see(number, waiting=False)
    assert len(progress.missing) == 64
    assert progress.see(2, waiting=False) == Late(2)  # given up, and still no replay
    with pytest.raises(errors.ReplayedMessage):
        progress.see(999, waiting=False)
    progress.see(1_010, waiting=False)
    progress.see(1_005, waiting=False)  # splits a run
    assert len(progress.missing) == 64


# a new device


def waiting(*devices: Device) -> list[PendingDevice]:
    pending = User().pending(*devices).pending
    assert isinstance(pending, list)
    return pending


def test_a_new_device_is_found_by_its_code_and_gets_the_account_key() -> None:
    user = User()
    new, other = user.device(), user.device()
    code = DeviceCode.create(new.keys, now=NOW)
    code = DeviceCode.from_bytes(code.to_bytes())
    text = str(code)
    assert len(text) == 29
    for typed in (text, text.lower(), text.replace("-", " "), f" {text.replace('O', '0')} "):
        found = match_code(typed, user.user_id, waiting(other, new))
        assert found.device_id == new.device_id
    given = grant(user.account, text, user.user_id, found)
    assert accept_grant(code, new.keys, given, NOW + 600).public == user.account.public


def test_a_swapped_identity_key_fits_no_code() -> None:
    user, mallory = User(), User()
    new, theirs = user.device(), mallory.device()
    text = str(DeviceCode.create(new.keys, now=NOW))
    swapped = msgspec.structs.replace(waiting(new)[0], identity_key=theirs.keys.identity_key)
    for listed in ([swapped], [], waiting(theirs)):
        with pytest.raises(errors.CodeError):
            match_code(text, user.user_id, listed)
    for mistyped in ("", "ABCD", text[:-1], text + "A", "1" * 24, text[:-1] + "!"):
        with pytest.raises(errors.CodeError):
            match_code(mistyped, user.user_id, waiting(new))


def test_an_account_key_from_elsewhere_is_refused() -> None:
    user = User()
    new = user.device()
    code, other = DeviceCode.create(new.keys, now=NOW), DeviceCode.create(new.keys, now=NOW)
    (device,) = waiting(new)
    good = grant(user.account, str(code), user.user_id, device)
    for bad in (
        grant(AccountKey.create(), str(other), user.user_id, device),
        AccountGrant(seed=AccountKey.create().seed, proof=good.proof),
        grant(user.account, str(code), str(uuid4()), device),
    ):
        with pytest.raises(errors.GrantRefused):
            accept_grant(code, new.keys, bad, NOW)


def test_a_code_ends_after_ten_minutes() -> None:
    user = User()
    new = user.device()
    code = DeviceCode.create(new.keys, now=NOW)
    (device,) = waiting(new)
    given = grant(user.account, str(code), user.user_id, device)
    for moment in (NOW + 601, NOW - 1):
        assert code.expired(moment)
        with pytest.raises(errors.CodeExpired):
            accept_grant(code, new.keys, given, moment)
    assert not code.expired(NOW + 599)


def test_a_body_of_a_newer_client_is_passed_over() -> None:
    alice = User().device()
    payload = alice.payload(CONVERSATION)
    newer = msgspec.structs.replace(payload, body=msgspec.Raw(b'{"type":"poll","options":["a","b"]}'))
    assert body_of(newer) == Unknown(type="poll")
    for bad in (b'{"type":"text"}', b'{"text":"no type"}', b"[]", b"{", b'{"type":"sender_key"}'):
        with pytest.raises(errors.Malformed):
            body_of(msgspec.structs.replace(payload, body=msgspec.Raw(bad)))
