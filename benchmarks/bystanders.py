"""What one attacker costs everybody else: how long others' sends take, with each kind of attack and without.

`PAIRS` people send over their sockets, and note how long each message takes to be answered, by `sent` or by
a refusal (standby.py). Meanwhile one account, logged in, does one thing as fast as it can (attacker.py), by
frames on one socket, which it opens again when that is closed, or by HTTP over several connections. Limits
are the default ones. Of each attack windows with it and without it alternate, since a shared machine changes
from one minute to the next: what is told is the median p99 of the former against that of the latter, and
between which values these lay. Where that comes near the bound there are more windows. Each window has a new
account, from an address of its own, that has spent nothing of its limits yet.

The attacker's process has the least priority. The first rows are controls: the same generator against a sink
that is not the server, at the same priority, and a busy client that keeps to its limits. All data are in
memory (`FOLDER`), where the machine has a file system for that: a shared disk's flushes would be most of what
is measured. `python -m benchmarks.bystanders WORD` does those with the word in their name.
"""

import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import randbelow
from typing import Any, NamedTuple

import httpx

from benchmarks.attacker import attacker, sink
from benchmarks.attacks import CONTENT, FRAMES, Attack, Has, calls, within_limits
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.standby import Window, stand_by
from benchmarks.system import system
from messenger.core.settings import Limits
from tests.system.people import PASSWORD, TRUST, Person, unique
from tests.system.stack import Stack

PAIRS = 20
SECONDS = 1.5  # of a window
ROUNDS = 3
MORE_ROUNDS = 4  # where it may be too much
NEAR = 1.5
FOLDER = Path("/dev/shm")
STORED = 2_000  # messages of a large conversation
PEERS = 10

_LIMITS = Limits()
SETTINGS = {
    **{f"MESSENGER_LIMITS__{one.upper()}": getattr(_LIMITS, one) for one in _LIMITS.__struct_fields__},
    "MESSENGER_AUTH__BCRYPT_COST": "12",
    "MESSENGER_AUTH__ACCESS_TOKEN": "7200",  # longer than the run: the bystanders' sockets last as long
}

_STORE = """
insert into message.messages
    (conversation_id, seq, sender_id, sender_device_id, client_id, kind, content, created_at)
select %(group)s, n, %(me)s, %(device)s, gen_random_uuid(), 'text', %(content)s, now()
from generate_series(1, %(count)s) n;
update message.conversations set last_seq = %(count)s where conversation_id = %(group)s
"""


def _address() -> str:
    return f"127.{randbelow(255) + 1}.{randbelow(256)}.{randbelow(255) + 1}"


def _person(url: str, address: str) -> Person:
    with httpx.Client(transport=httpx.HTTPTransport(verify=TRUST, local_address=address), timeout=60) as http:
        answer = http.post(f"{url}/api/v1/auth/register", json={"username": unique(), "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return Person(url, session=answer.json())


def _people(url: str, count: int) -> list[Person]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: _person(url, _address()), range(count)))


class Arsenal:
    """Makes attackers: accounts with a group that holds much, a direct conversation, a file and an upload."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._peers = _people(stack.url, PEERS)
        for one in self._peers:
            one.publish()
        self._made = 0
        self._database = stack.database()

    def account(self) -> Has:
        """A new one, and what it has."""
        address = _address()
        who = _person(self._stack.url, address)
        peer = self._peers[self._made % PEERS]
        self._made += 1
        group = who.group(peer)
        with self._database.cursor() as cursor:
            cursor.execute(
                _STORE,
                {
                    "group": group,
                    "me": who.user_id,
                    "device": who.device_id,
                    "content": CONTENT.encode(),
                    "count": STORED,
                },
            )
        upload = who.http.post(
            "/files/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "65536"}, content=b""
        )
        file = who.ok(
            "POST", "/files", content=bytes(65_536), headers={"Content-Type": "application/octet-stream"}
        )
        return {
            "address": address,
            "token": who.token,
            "refresh_token": who.session["refresh_token"],
            "username": who.username,
            "device_id": who.device_id,
            "user_id": peer.user_id,
            "conversation_id": group,
            "group": group,
            "direct": who.direct(peer),
            "seq": "1",
            "name": "x",
            "file_id": file["file_id"],
            "upload_id": upload.headers["Location"].rpartition("/")[2],
        }


class Told(NamedTuple):
    """What was found of one attack. Times are in seconds."""

    calm: list[float]
    attacked: list[float]
    count: int
    unserved: int
    came: Counter[str]

    @property
    def ratio(self) -> float:
        return statistics.median(self.attacked) / statistics.median(self.calm)

    def row(self, name: str) -> Row:
        calm, attacked = _spread(self.calm), _spread(self.attacked)
        came = ", ".join(f"{number:,} {what}" for what, number in sorted(self.came.items()))
        note = f"{calm} without, {attacked} with it; it got {came}"
        if self.unserved:
            note += f"; {self.unserved} of {self.count:,} sends were refused or late"
        return Row(name, self.ratio, "times", note)


def _spread(found: list[float]) -> str:
    low, middle, high = (1000 * one for one in (min(found), statistics.median(found), max(found)))
    return f"{middle:.1f} ms ({low:.1f} to {high:.1f})"


class Field:
    """The system, its bystanders and an attacker; `url` is what is attacked."""

    def __init__(self, arsenal: Arsenal, bystanders: Any, generator: Any) -> None:
        self._arsenal = arsenal
        self._bystanders = bystanders
        self._generator = generator
        self.codes: Counter[str] = Counter()

    def _window(self, url: str, attack: Attack | None) -> tuple[Window, dict[str, int]]:
        came: dict[str, int] = {}
        if attack is not None:
            has = self._arsenal.account()
            payload = attack.make(has)
            time.sleep(0.3)
            self._generator.send((url, has["token"], has["address"], attack.kind, payload, SECONDS))
        self._bystanders.send(SECONDS)
        if attack is not None:
            came = self._generator.recv()
        window: Window = self._bystanders.recv()
        self.codes.update(window.refused)
        return window, came

    def measure(self, url: str, attack: Attack) -> Told:
        """Windows in turn."""
        told = Told([], [], 0, 0, Counter())
        rounds = 0
        while rounds < ROUNDS or (rounds < ROUNDS + MORE_ROUNDS and told.ratio > NEAR):
            for attacked in (False, True):
                window, came = self._window(url, attack if attacked else None)
                (told.attacked if attacked else told.calm).append(window.p99)
                told = told._replace(
                    count=told.count + window.count,
                    unserved=told.unserved + window.late + sum(window.refused.values()),
                    came=told.came + Counter(came),
                )
            time.sleep(0.5)
            rounds += 1
        return told


@contextmanager
def _field(stack: Stack) -> Iterator[Field]:
    people = _people(stack.url, 2 * PAIRS)
    couples = zip(people[::2], people[1::2], strict=True)
    senders = [(stack.url, one.token, one.direct(other)) for one, other in couples]
    arsenal = Arsenal(stack)
    with generator(stand_by, senders, CONTENT) as (bystanders, _), generator(attacker) as (attacking, _):
        assert bystanders.recv() == "begin"
        yield Field(arsenal, bystanders, attacking)
        bystanders.send(0)
        attacking.send(None)


def attacks() -> list[Attack]:
    """All of them."""
    return [*(Attack(name, "frames", make) for name, make in FRAMES.items()), *calls()]


CONTROLS = (
    Attack("control, frames to a sink", "frames", FRAMES["ping"]),
    Attack("control, calls to a sink", "calls", calls()[0].make),
    Attack("control, a client that keeps to its limits", "paced", within_limits),
)


def run(only: str = "") -> list[Row]:
    """All rows."""
    rows: list[Row] = []
    worst, unserved, count = 0.0, 0, 0
    with (
        system(settings=SETTINGS, folder=FOLDER if FOLDER.is_dir() else None) as stack,
        generator(sink) as (sinking, _),
        _field(stack) as field,
    ):
        aside: str = sinking.recv()
        for attack in (*CONTROLS, *attacks()):
            name = attack.name if attack in CONTROLS else f"{attack.kind}: {attack.name}"
            if only not in name:
                continue
            told = field.measure(aside if name.endswith("a sink") else stack.url, attack)
            if attack not in CONTROLS:
                worst = max(worst, told.ratio)
                unserved, count = unserved + told.unserved, count + told.count
            rows.append(told.row(name))
            sys.stdout.write(f"{rows[-1].value:5.2f}  {name}: {rows[-1].note}\n")
            sys.stdout.flush()
        sinking.send(None)
        codes = ", ".join(f"{number} {code}" for code, number in field.codes.items())
        of = f"of {count:,}" + (f": {codes}" if codes else "")
    return [
        Row(
            "others' sends, p99 with one attacker against none: the worst", worst, "times", "goal: at most 2"
        ),
        Row("others' sends that were refused, or not answered within a second", unserved, "sends", of),
        *rows,
    ]


if __name__ == "__main__":
    run(sys.argv[1] if len(sys.argv) > 1 else "")
