"""A server that lies, lie by lie: nothing can be read by it, and what it changes is told."""

import base64
import random
import shutil
from collections.abc import Iterator

import pytest

from messenger.client import ProfileRestored
from tests.client.lying.judging import breaches, check_honest, check_lie, check_two
from tests.client.lying.liar import Lie
from tests.client.lying.lies import ALL
from tests.client.lying.story import Story
from tests.client.lying.theatre import Theatre, opened


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    """The theatre of most stories."""
    with opened(quick=True) as made:
        made.go_on("talk")
        yield made


def test_an_honest_server_is_warned_of_by_nobody(theatre: Theatre) -> None:
    check_honest(theatre.play())


class Confiding(Story):
    """Alice writes to somebody who is the server's, as she may."""

    async def _more(self) -> None:
        alice = self.clients["a1"]
        self.spy = self.adversary.user("mallory")
        await (await alice.direct("mallory")).send("for mallory only")
        group = await alice.create_group("A group with mallory", ["mallory"])
        await group.send("for the group only")
        await self.stage.quiet()


def test_the_double_reads_what_it_has_keys_for(theatre: Theatre) -> None:
    story = theatre.play(kind=Confiding)
    story.adversary.try_all()
    kinds = [one.split()[0] for one in story.adversary.read]
    assert kinds.count("Text") == 2, kinds  # one by a session, one by a sender key
    assert "SenderKey" in kinds


def test_the_double_finds_secrets_in_any_spelling(theatre: Theatre) -> None:
    story = theatre.play()
    secret = story.outcome.secrets[-1]
    assert story.adversary.overheard([secret]) == []
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + secret + b"more")
        urlsafe = base64.urlsafe_b64encode(b"x" * shift + secret + b"more")
        for spelling in (encoded, urlsafe, secret, secret.hex().encode()):
            story.server.heard = [b"before" + spelling + b"behind"]
            assert story.adversary.overheard([secret]) == [secret]


class Restored(Story):
    """Bob's device is restored from a copy that was made before he and the others talked."""

    async def _restart(self) -> None:
        await self.clients["b1"].close()
        await self.stage.quiet()
        shutil.rmtree(self.folder / "b1")
        shutil.copytree(self.origin / "b1", self.folder / "b1")
        await self._open("b1")


def test_a_restored_profile_goes_on_under_new_keys(theatre: Theatre) -> None:
    story = theatre.play(kind=Restored, step="talk")
    outcome = story.outcome
    assert breaches(story) == []
    assert any(isinstance(one, ProfileRestored) for one in outcome.events["b1"])
    # What it writes from then on is read by all.
    after = [one for one in outcome.told if one.device == "b1"][-2:]
    for told in after:
        for device in told.expected:
            assert any((one.device, one.message.text) == (device, told.text) for one in outcome.shown)


def _marks(kind: type[Lie]) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(strict=False, reason=kind.unmet)] if kind.unmet else []


@pytest.mark.parametrize("kind", [pytest.param(one, id=one.__name__, marks=_marks(one)) for one in ALL])
def test_a_lie(theatre: Theatre, kind: type[Lie]) -> None:
    lie = kind()
    check_lie(lie, theatre.play(lie))


def pair(seed: int) -> tuple[Lie, ...]:
    """Two lies, the same for a seed."""
    kinds = [one for one in ALL if not one.unmet]
    return tuple(kind() for kind in random.Random(seed).sample(kinds, 2))


SOME, MANY = 20, 520


@pytest.mark.parametrize(
    "seed", [pytest.param(one, marks=() if one < SOME else pytest.mark.long) for one in range(MANY)]
)
def test_two_lies(theatre: Theatre, seed: int) -> None:
    lies = pair(seed)
    check_two(lies, theatre.play(*lies))
