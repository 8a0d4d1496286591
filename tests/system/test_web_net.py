"""The web client's network side, in Node, against a real server whose gateway dies in between."""

import subprocess
from pathlib import Path

import pytest

from messenger.web.client.node import ROOT, build, find_node
from tests.system.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.long]
NODE = find_node()
SECONDS = 120.0

if NODE is None:
    pytest.skip("no Node 20.19 or newer: the web client is not tested", allow_module_level=True)


def test_the_network_side(apart: Stack, tmp_path: Path) -> None:
    script = build(NODE, tmp_path / "out") / "tests" / "live.js"
    # Node has a WebSocket of its own from 22 on, and before that for who asks for it.
    command = [*NODE.node, "--experimental-websocket", str(script), apart.url]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        try:
            said = child.stdout.readline()
            if said == "kill\n":
                apart.kill("gateway-1")
                apart.restart("gateway-1")
                apart.wait_ready()
                child.stdin.write("\n")
                child.stdin.flush()
            out, errors = child.communicate(timeout=SECONDS)
        finally:
            child.kill()
    assert (said, out, child.returncode) == ("kill\n", "done\n", 0), errors
