"""Autobahn's test cases for RFC 6455, with the message service's settings: direct, and through the relay."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from child_process import Child

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
# Framing, pings, reserved bits and opcodes, fragmentation, closing; not: UTF-8, sizes, compression.
SHORT = ["1.*", "2.*", "3.*", "4.*", "5.*", "7.*"]
ALL = 517


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with open(tmp_path_factory.mktemp("gateway") / "log", "wb") as log:
        made = Child(log)
        yield made
        made.stop()


def play(port, *cases):
    command = [sys.executable, str(HERE / "autobahn_cases.py"), f"ws://127.0.0.1:{port}/ws", *cases]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    verdicts = json.loads(done.stdout)
    good = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
    return verdicts, [one for one in verdicts if not {one[1], one[2]} <= good]


@pytest.mark.parametrize("where", ["direct", "relayed"])
def test_short(child, where):
    results, failed = play(child.service_port if where == "direct" else child.port, *SHORT)
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
        case.partition(".")[0] for case, behaviour, _ in results if behaviour == "UNIMPLEMENTED"
    )
    assert set(unimplemented) <= {"12", "13"}
