"""What the benchmark of bystanders has an attacker do: each frame and each call that there is."""

import json
import typing
from collections import defaultdict

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.attacks import FRAMES, VARIANTS, calls, description, within_limits
from messenger.wire import frames
from messenger.wire.errors import Problem

UUID = "01900000-0000-7000-8000-00000000abcd"


def some() -> dict[str, str]:
    """Ids and secrets of every name."""
    return defaultdict(lambda: UUID, {"seq": "1", "name": "x", "token": "t" * 32})


class AttackTests(SynchronousTestCase):
    def test_every_kind_of_frame_is_among_them(self) -> None:
        types = set()
        for make in (*FRAMES.values(), within_limits):
            for raw in make(some()):
                for one in frames.split(raw)[:100]:
                    try:
                        types.add(type(frames.decode(one)))
                    except Problem:
                        continue  # that is the attack
        self.assertEqual(types, set(typing.get_args(frames.ClientFrame)))

    def test_every_call_of_the_description_is_among_them(self) -> None:
        asked = [raw.partition(b" HTTP/1.1\r\n")[0] for one in calls() for raw in one.make(some())]
        for path, item in description()["paths"].items():
            start = path.partition("{")[0]
            for method in item:
                wanted = f"{method.upper()} {start}".encode()
                self.assertTrue(any(one.startswith(wanted) for one in asked), wanted)

    def test_each_request_is_whole(self) -> None:
        for one in calls():
            for raw in one.make(some())[:3]:
                head, _, body = raw.partition(b"\r\n\r\n")
                length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or b"0"
                self.assertEqual(int(length), len(body), one.name)
                if b"application/json" in head:
                    json.loads(body)

    def test_what_is_special_is_said_of_calls_that_there_are(self) -> None:
        named = {one["operationId"] for item in description()["paths"].values() for one in item.values()}
        self.assertEqual(set(VARIANTS) - named, set())
