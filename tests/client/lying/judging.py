"""What a story has come to: what was told of the server, and what must not have happened under any lie."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from messenger.client import Message, ServerWarning
from tests.client.lying.liar import Lie
from tests.client.lying.stage import OWNERS, Outcome
from tests.client.lying.story import Story

LONGEST_STORY = timedelta(hours=1)


def warnings(outcome: Outcome) -> list[str]:
    """What was told of the server, as DEVICE KIND:reason."""
    return [
        f"{device} {type(one).__name__}:{one.reason} {one.detail}"
        for device, events in outcome.events.items()
        for one in events
        if isinstance(one, ServerWarning)
    ]


def said(outcome: Outcome) -> list[str]:
    """All that a lie may be met by: events and refusals, as KIND:reason."""
    found = [one.split(" ")[-1] for one in outcome.errors]
    for events in outcome.events.values():
        for one in events:
            kind = type(one).__name__
            found.append(f"{kind}:{one.reason}" if isinstance(one, ServerWarning) else kind)
    return found


def breaches(story: Story) -> list[str]:
    """What must not be under any lie: something read, or something shown that nobody said so and to them."""
    outcome, adversary = story.outcome, story.adversary
    adversary.try_all()
    found = [f"read: {one}" for one in adversary.read]
    found += [f"overheard: {one!r}" for one in adversary.overheard(outcome.secrets)]
    there = {one.text: one for one in outcome.told}
    seen: set[tuple[str, str]] = set()
    for one in outcome.shown:
        if one.message.kind != "text":
            continue
        told = there.get(one.message.text)
        if told is None:
            found.append(f"never said: {one.message.text!r} on {one.device} in {one.where}")
        elif one.device not in told.readers:
            found.append(f"not for {one.device}: {told}")
        elif one.where != told.where or not _is_author(story, one.message, OWNERS[told.device]):
            found.append(f"elsewhere: {told} on {one.device} in {one.where} of {one.message.sender}")
        elif (one.device, told.text) in seen:
            found.append(f"twice: {told} on {one.device}")
        elif abs(datetime.fromisoformat(one.message.sent_at) - datetime.now(UTC)) > LONGEST_STORY:
            found.append(f"at another time: {told} on {one.device} at {one.message.sent_at}")
        seen.add((one.device, one.message.text))
    return found


def _is_author(story: Story, message: Message, name: str) -> bool:
    """Whether a message is shown as this user's; by the id, where the name is refused."""
    user = story.server.state.user_named(name)
    assert user is not None
    return message.sender_id == user.user_id and message.sender in (name, user.user_id)


def is_met(lie: Lie, outcome: Outcome) -> bool:
    """Whether what a lie has to be met by was said."""
    there = said(outcome)
    return any(one in there or any(other.startswith(f"{one}:") for other in there) for one in lie.met_by)


def missing(outcome: Outcome) -> list[str]:
    """What was sent and is not on the screen of somebody whom it was for."""
    there = {(one.device, one.message.text) for one in outcome.shown}
    return [
        f"{told.text} on {device}"
        for told in outcome.told
        for device in told.expected
        if (device, told.text) not in there
    ]


def check_honest(story: Story) -> None:
    """All that was said is where it belongs, and nobody was warned."""
    outcome = story.outcome
    assert (warnings(outcome), outcome.errors, breaches(story)) == ([], [], [])
    assert "fetched" in outcome.steps
    assert len(outcome.told) > 30
    assert all(one.sent for one in outcome.told)
    for told in outcome.told:
        for device in told.expected:
            found = [one for one in outcome.shown if one.device == device and one.message.text == told.text]
            assert [one.where for one in found] == [told.where], (device, told)


def check_lie(lie: Lie, story: Story) -> None:
    """A lie was told, nobody was harmed, and it was met as it has to be."""
    outcome = story.outcome
    assert lie.told
    assert breaches(story) == []
    if lie.met_by:
        assert is_met(lie, outcome), (sorted(set(said(outcome))), missing(outcome))
    else:
        assert missing(outcome) == []
        assert lie.may_warn or warnings(outcome) == []


def check_two(lies: Sequence[Lie], story: Story) -> None:
    """Nobody was harmed by two lies together. One may hide the other: that one of them is met is enough."""
    assert breaches(story) == [], [one.name for one in lies]
    told = [one for one in lies if one.told and one.met_by]
    assert not told or any(is_met(one, story.outcome) for one in told), [one.name for one in lies]
