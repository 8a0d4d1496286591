"""The web client in Chromium on a real server, where tabs, workers and browsers die.

What is judged: each text that was written is there once on both sides, no key has encrypted two ciphertexts
that the server took, nobody was warned of anything, and no page broke its policies or told the console of an
error.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from messenger.admin.embedded import embedded
from messenger.client.e2e.envelope import decode_envelope
from messenger.web.client.node import CLIENT, ROOT, TESTS, build, find_node
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system
NODE = find_node()
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FIRST_SCREEN = 90 * 1024  # bytes that a browser loads before it shows something
WHOLE = 200 * 1024

if NODE is None:
    pytest.skip("no Node 20.19 or newer: the web client is not tested", allow_module_level=True)
if CHROMIUM is None:
    pytest.skip("no Chromium: the web client is not tested in a browser", allow_module_level=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was built."""
    return build(NODE, tmp_path_factory.mktemp("web") / "out")


def told(bundles: Path, stack: Stack, folder: Path, story: str, times: int = 0, newer: str = "") -> Any:
    """Have a story happen; what came of it."""
    script = str(bundles / "tests" / "tabs_live.js")
    said = [str(CLIENT), CHROMIUM, stack.url, str(folder), story, str(times), newer]
    ran = subprocess.run(
        [*NODE.node, script, *said], cwd=ROOT, capture_output=True, text=True, check=False, timeout=3_600
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    print(ran.stderr, found)
    return found


def keys_used(stack: Stack, conversation: str) -> Counter[tuple[bytes, int]]:
    """How often each key of a ratchet is named by a ciphertext of the conversation."""
    with embedded(stack.data, None, os.environ, make=False) as settings:
        found = settings.database
        connection = psycopg2.connect(
            host=found.host,
            port=found.port,
            dbname=found.name,
            user=found.admin_user,
            password=found.admin_password,
        )
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "select envelopes from message.messages where conversation_id = %s", [conversation]
            )
            envelopes = [bytes(one) for (row,) in cursor for one in row or ()]
    finally:
        connection.close()
    messages = [decode_envelope(one).message for one in envelopes]
    return Counter((one.ratchet_key, one.number) for one in messages)


def judge(stack: Stack, found: Any, written: int) -> None:
    """Everything is where it belongs, once."""
    assert found["written"] >= written
    nothing = {"lost": [], "twice": [], "strange": [], "unsent": []}
    assert (found["ann"], found["ben"]) == (nothing, nothing)
    used = keys_used(stack, found["conversation"])
    assert len(used) >= found["written"]
    assert [key for key, times in used.items() if times > 1] == []
    # The device is never in two places at once.
    assert (found["warnings"], found["troubles"]) == ([], [])


def test_two_tabs_and_two_browsers(bundles: Path, one: Stack, tmp_path: Path) -> None:
    found = told(bundles, one, tmp_path, "tabs")
    judge(one, found, 5)
    assert found["heard"] == [found["expected"]] * 2
    sizes = found["sizes"]
    print(f"the first screen loads {sizes['first']:,} bytes, all {sizes['all']:,}")
    assert any("/assets/worker." in path for path in sizes["paths"])
    assert 0 < sizes["first"] <= FIRST_SCREEN
    assert sizes["first"] < sizes["all"] <= WHOLE


def test_an_account_from_a_tab_that_follows(bundles: Path, one: Stack, tmp_path: Path) -> None:
    found = told(bundles, one, tmp_path, "account")
    assert found["before"] == ["not_open", "weak_password", "unauthorized"]
    for said in (found["registered"], *found["again"][:2]):
        assert (said["ok"]["profile"], said["ok"]["username"]) == ("open", found["name"])
    assert found["again"][2] == "profile_mismatch"
    assert found["read"] == {"ok": None}
    assert found["opened"] == ["wrong_password", "open", "open"]
    assert (found["out"]["connection"], found["kept"]) == ("session_ended", 1)
    assert len(found["named"]) == 1
    assert found["named"][0].startswith("ben-")
    assert (found["warnings"], found["troubles"]) == ([], [])


@pytest.mark.parametrize("times", [8, pytest.param(50, marks=pytest.mark.long)])
def test_the_leader_is_closed_while_all_write(bundles: Path, one: Stack, tmp_path: Path, times: int) -> None:
    found = told(bundles, one, tmp_path, "leaders", times)
    judge(one, found, times)


@pytest.mark.long
def test_tokens_that_hold_for_seconds_outlast_leaders(bundles: Path, tmp_path: Path) -> None:
    # The client renews a minute before the end: each leader does so at once, and again with the next request.
    with running(Stack(tmp_path / "stack", "one", {"MESSENGER_AUTH__ACCESS_TOKEN": "61"})) as stack:
        found = told(bundles, stack, tmp_path, "leaders", 30)
        judge(stack, found, 30)


@pytest.mark.parametrize("times", [8, pytest.param(200, marks=pytest.mark.long)])
def test_tabs_workers_and_browsers_die(bundles: Path, one: Stack, tmp_path: Path, times: int) -> None:
    found = told(bundles, one, tmp_path, "kills", times)
    judge(one, found, times)
    assert sum(found["died"].values()) == times
    assert set(found["died"]) == {"tab", "crash", "worker", "browser"}


def test_a_copied_profile_is_told_and_sends_nobody_away_by_itself(
    bundles: Path, one: Stack, tmp_path: Path
) -> None:
    found = told(bundles, one, tmp_path, "copies")
    assert found["sockets"] == ["taken_over", "taken_over"]
    assert found["other"] == "online"
    assert {json.loads(said)["event"] for said in found["warnings"]} == {"taken_over"}
    assert found["troubles"] == []


def test_it_starts_without_a_network_and_never_mixes_versions(
    bundles: Path, one: Stack, tmp_path: Path
) -> None:
    newer = newer_version(tmp_path / "newer")
    found = told(bundles, one, tmp_path, "service", newer=str(newer))
    assert found["offline"] == {"history": 1, "wrote": True}
    assert found["waiting"] == ["sent", "queued"]
    # A tab that is opened meanwhile has the version of the others.
    assert found["during"] == [found["old"]] * 2
    scripts = found["after"]["scripts"]
    assert len(scripts) == 2
    assert len(set(scripts)) == 1
    assert found["old"] not in scripts
    assert (newer / scripts[0].rpartition("/")[2]).exists()
    assert found["after"]["caches"] != [found["before"]]
    assert (found["warnings"], found["troubles"]) == ([], [])


def test_where_it_is_not_secure_it_says_so(bundles: Path, one: Stack, tmp_path: Path) -> None:
    found = told(bundles, one, tmp_path, "insecure")
    assert f"http://127.0.0.1:{one.ports['gateway']}/" in found["said"]
    assert (found["workers"], found["client"], found["troubles"]) == (0, False, [])


def test_a_worker_that_is_gone_is_told(bundles: Path, one: Stack, tmp_path: Path) -> None:
    assert told(bundles, one, tmp_path, "gone")["troubles"] == []


def test_a_violation_would_be_seen(bundles: Path, one: Stack, tmp_path: Path) -> None:
    troubles = told(bundles, one, tmp_path, "violation")["troubles"]
    assert any("TrustedScript" in said for said in troubles)
    assert any("img-src" in said for said in troubles)


def newer_version(folder: Path) -> Path:
    """The bundle of another version, which says one thing otherwise."""
    for source in (CLIENT, TESTS):
        copy = folder / source.relative_to(ROOT)
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    client = folder / CLIENT.relative_to(ROOT)
    (client / "node_modules").symlink_to(CLIENT / "node_modules")
    (folder / "messenger" / "wire").symlink_to(ROOT / "messenger" / "wire")
    words = client / "src" / "ui" / "words" / "en.ts"
    said = words.read_text()
    assert "Choose a conversation" in said
    words.write_text(said.replace("Choose a conversation", "Open a conversation"))
    return build(NODE, folder / "out", client) / "static"
