"""Autobahn's test cases for RFC 6455, with the message service's settings: direct, and through the relay."""

import asyncio
from collections import Counter

import pytest
from child_process import Child
from kosoku import FailureError, run_fuzzingclient

pytestmark = pytest.mark.system

# Framing, pings, reserved bits and opcodes, fragmentation, closing; not: UTF-8, sizes, compression.
SHORT = ["1.*", "2.*", "3.*", "4.*", "5.*", "7.*"]
ALL = 517


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with open(tmp_path_factory.mktemp("gateway") / "log", "wb") as log:
        made = Child(log)
        yield made
        made.stop()


def play(port, cases=None):
    try:
        results = asyncio.run(run_fuzzingclient(f"ws://127.0.0.1:{port}/ws", cases=cases, concurrency=2))
    except FailureError as error:
        results = error.results
    good = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
    verdicts = [(one.case_id, one.behavior.value, one.behavior_close.value) for one in results]
    return results, [one for one in verdicts if not {one[1], one[2]} <= good]


@pytest.mark.parametrize("where", ["direct", "relayed"])
def test_short(child, where):
    results, failed = play(child.service_port if where == "direct" else child.port, SHORT)
    assert failed == []
    assert len(results) > 90


@pytest.mark.long
@pytest.mark.parametrize("where", ["direct", "relayed"])
def test_all(child, where):
    results, failed = play(child.service_port if where == "direct" else child.port)
    assert failed == []
    assert len(results) == ALL
    # Compression is not offered; nothing else may be left out.
    unimplemented = Counter(
        one.case_id.partition(".")[0] for one in results if one.behavior.value == "UNIMPLEMENTED"
    )
    assert set(unimplemented) <= {"12", "13"}
