"""What docs/api.md shows runs as it stands there: the blocks of one language, put together, are a program."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.stack import Stack

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def program(language: str, url: str) -> str:
    """The page's blocks of `language`, for the server at `url`."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    return "\n".join(blocks).replace("127.0.0.1:8080", url.removeprefix("http://"))


def printed(arguments: list[str], text: str) -> str:
    """What a program, given on its standard input, prints."""
    done = subprocess.run(
        arguments, input=text, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.system
def test_the_examples_in_curl_run(one: Stack) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    out = printed(["bash", "-eu", "-o", "pipefail"], program("sh", one.url))
    assert '"seq":1' in out
    assert '"content":"aGVsbG8gYnkgY3VybA=="' in out
    assert out.rstrip().endswith("100000")


@pytest.mark.system
def test_the_examples_in_python_run(one: Stack) -> None:
    out = printed([sys.executable, "-"], program("python", one.url))
    assert out.splitlines() == ["committed as number 1", "1 hello by Python", "27 bytes came back"]


@pytest.mark.system
def test_the_examples_in_javascript_run(one: Stack) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    version = int(printed([node, "--version"], "").removeprefix("v").partition(".")[0])
    if version < 20:
        pytest.skip(f"node {version} has no WebSocket")
    flags = ["--experimental-websocket"] if version < 22 else []
    out = printed([node, "--no-warnings", *flags, "--input-type=module", "-"], program("js", one.url))
    assert out.splitlines() == ["committed as number 1", "1 hello by JavaScript", "27 bytes came back"]
