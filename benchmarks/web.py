"""What the web client does in Chromium: its encryption, a new account, a message there, a backlog.

A browser and its server share the machine. Chromium is the system's (`apt-get install chromium`); each story
has browsers with new profiles (`tests/web/tabs/measures.ts`, and for the
screens `tests/web/screens/measures.ts`). `python -m benchmarks web`; five minutes.
"""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import web_screens
from benchmarks.report import Missing, Row
from benchmarks.system import system
from messenger.web.client.node import CLIENT, ROOT, Node, build, find_node
from tests.system.stack import Stack

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SLOWER = 4
TYPED = 200
WAITING = 1_000
SECONDS = 300.0
# What the encryption's module says, and how a row calls it.
ENCRYPTION = {
    "100 one-time and 100 KEM prekeys, cold": "100 one-time and 100 KEM prekeys, cold",
    "PQXDH and the first message sealed": "PQXDH and the first message sealed, warm",
    "the first message opened": "the first message opened, warm",
    "1,000 pairwise opened": "1,000 pairwise messages opened",
    "1,000 group opened": "1,000 group messages opened",
    "a file of 16 MiB encrypted": "a file of 16 MiB encrypted",
    "Argon2id, 64 MiB and 3 passes": "a password derived (Argon2id, 64 MiB)",
}


def run() -> list[Row]:
    """All rows."""
    node = find_node()
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if node is None or chromium is None:
        raise Missing("web needs Node 20.19 or newer (`make node`) and Chromium (`apt-get install chromium`)")
    with tempfile.TemporaryDirectory(prefix="messenger-web-") as folder, system() as stack:
        scene = _Scene(node, chromium, stack, Path(folder))
        return [*scene.encryption(), *scene.first(), *scene.typed(), *scene.backlog(), *scene.screens()]


class _Scene:
    """What was built, a browser, a server, and a folder for profiles."""

    def __init__(self, node: Node, chromium: str, stack: Stack, folder: Path) -> None:
        self._node = node
        self._chromium = chromium
        self._stack = stack
        self._folder = folder
        self._out = build(node, folder / "out")

    def _told(self, story: str, times: int, stories: str = "tabs") -> Any:
        """Have a story happen in browsers of its own; what came of it."""
        profiles = tempfile.mkdtemp(prefix=f"{stories}-{story}-", dir=self._folder)
        script = self._out / "tests" / f"{stories}_live.js"
        said = [CLIENT, self._chromium, self._stack.url, profiles, story, times, ""]
        found = json.loads(self._ran([str(script), *map(str, said)]).splitlines()[-1])
        assert (found["troubles"], found.get("warnings", [])) == ([], []), found
        return found

    def _ran(self, command: list[str], folder: Path = ROOT) -> str:
        done = subprocess.run(
            [*self._node.node, *command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def encryption(self) -> list[Row]:
        """The last time of each, when the browser has compiled it."""
        files = self._folder / "files"
        files.mkdir()
        (files / "names.json").write_text("[]")
        command = ["browser.js", self._chromium, str(self._out / "browser"), str(files), "encryption_speed"]
        said = dict(re.findall(r"^ +# (.+): ([\d.]+) ms$", self._ran(command, CLIENT), re.MULTILINE))
        return [Row(name, float(said[known]), "ms") for known, name in ENCRYPTION.items()]

    def first(self) -> list[Row]:
        """From a name and a password to the first message."""
        rows = []
        for story, rate, slow, bar in (
            ("first", 1, "", "goal: 2; "),
            ("first", SLOWER, f", the page {SLOWER} times slower", "goal: 4; "),
            ("first_slowed", SLOWER, f", page and worker {SLOWER} times slower", ""),
        ):
            found = self._told(story, rate)
            note = f"{bar}{found['registered'] / 1e3:.2f} s of it until registered"
            what = f"registered, published, first message committed{slow}"
            rows.append(Row(what, found["committed"] / 1e3, "s", note))
        sizes = found["sizes"]
        return [
            Row("what the first screen loads, as gzip", sizes["first"] / 1024, "KB", "goal: 90"),
            Row("all that it loads, as gzip", sizes["all"] / 1024, "KB", "goal: 200"),
            *rows,
        ]

    def typed(self) -> list[Row]:
        """Ten messages a second."""
        took = sorted(self._told("latency", TYPED)["took"])
        return [
            Row("sent here, seen there, p50", took[len(took) // 2], "ms", f"{TYPED} messages, two browsers"),
            Row("sent here, seen there, p95", took[len(took) * 95 // 100], "ms", "goal: 150"),
        ]

    def backlog(self) -> list[Row]:
        """A browser that is started finds messages."""
        found = self._told("backlog", WAITING)
        assert found["stored"] == WAITING + 1, found  # and what was said before
        what = f"a backlog of {WAITING:,}, from the page's start until all are in"
        since = f"goal: 3; {(found['last'] - found['first']) / 1e3:.2f} s from the first to the last"
        return [
            Row(what, found["last"] / 1e3, "s", since),
            Row(
                "the longest task of the page meanwhile",
                found["longest"],
                "ms",
                "goal: 50; 0: none took as long",
            ),
        ]

    def screens(self) -> list[Row]:
        """As a person sees it."""
        return web_screens.rows(lambda story, times: self._told(story, times, "screens"))
