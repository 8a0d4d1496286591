"""What docs/api.md and docs/first-conversation.md show runs as it stands there.

The blocks of one language, put together, are a program.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.people import unique
from tests.system.stack import Stack

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str, url: str, least: int = 3) -> list[str]:
    """A page's blocks of `language`, for the server at `url`."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    assert len(found) >= least
    return [block.replace("127.0.0.1:8080", url.removeprefix("http://")) for block in found]


def program(language: str, url: str) -> str:
    """The blocks of the page about the API."""
    return "\n".join(blocks("api.md", language, url))


def printed(arguments: list[str], text: str, folder: Path | None = None) -> str:
    """What a program, given on its standard input, prints."""
    done = subprocess.run(
        arguments,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
        cwd=folder,
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


@pytest.mark.system
def test_the_first_conversation_goes_as_the_page_says(one: Stack, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    page = [
        re.sub(r"^.* pip install .*$", "", block, flags=re.MULTILINE)
        .replace(".venv/bin/python", sys.executable)
        .replace("register alice", f"register {unique('alice')}")
        .replace("register bob", f"register {unique('bob')}")
        for block in blocks("first-conversation.md", "sh", one.url)
    ]
    register, create, connect, write, frames, history, share = page
    # Bob's terminal: what the page prints for it is run there, and what he types comes by a named pipe.
    script = f"""
        {register}
        {create}
        mkfifo typed; exec 3<>typed
        bob=$({connect})
        eval "exec $bob" <typed >shown 2>&1 &
        saw() {{
            timeout 20 bash -c "until grep -q '$1' shown; do sleep 0.05; done" || {{ cat shown; exit 1; }}
        }}
        saw synced
        {write}
        saw '"type":"message"'
        {{ {frames} }} >&3
        saw '"type":"sent"'
        {history}
        {share}
        kill %1
    """
    out = printed(["bash", "-eu", "-o", "pipefail"], script, tmp_path)
    assert '"seq":1' in out
    assert '"content":"aGVsbG8="' in out
    assert out.rstrip().endswith("the same")


@pytest.mark.system
def test_the_command_line_goes_as_the_page_says(one: Stack, tmp_path: Path) -> None:
    (page,) = [block for block in blocks("client.md", "sh", one.url, 2) if "MESSENGER_SERVER" in block]
    page = page.replace("build/client/bin/messenger", f"{sys.executable} -m messenger.client.cli.main")
    for name in ("ann", "ben"):
        page = re.sub(rf"(register|send|history|verify) {name}\b", rf"\1 {name}$RUN", page)
    # Aliases are for people; a script has to ask for them.
    script = f"shopt -s expand_aliases\nRUN={unique('')}\nexport MESSENGER_PASSWORD='umbrella kettle'\n{page}"
    root = str(DOCS.parent)
    out = printed(["env", f"PYTHONPATH={root}", "bash", "-eu", "-o", "pipefail"], script, tmp_path)
    assert out.count("Hello!") >= 2
