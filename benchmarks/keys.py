"""Claims of bundles: how many a second, and what one costs, with few and with many prekeys stored.

The same devices are claimed in both cases, each of a user of its own, and by askers in turn, so that no
limit is met. What is added for the second case belongs to devices that nobody asks for.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx

from benchmarks.report import Row
from benchmarks.system import people, processes, scalar, system
from tests.system.stack import Stack

DEVICES = 60
ASKERS = 8
EACH = 17  # prekeys of a device: 1,020 in all
CLAIMS = 960
ROUNDS = 3
FEW, MANY = DEVICES * EACH, 1_000_000
SETTINGS = {"MESSENGER_KEY__CLAIMS_BY_ASKER": "1000000", "MESSENGER_KEY__CLAIMS_OF_DEVICE": "1000000"}


def run() -> list[Row]:
    """The figures."""
    with system(settings=SETTINGS) as stack:
        asked, askers = people(stack, DEVICES), people(stack, ASKERS)
        for person in asked:
            person.publish(0)
        devices = [person.device_id for person in asked]
        tokens = [person.token for person in askers]
        _measure(stack, devices, tokens, 200)  # connections, caches
        few, at_first = _case(stack, devices, tokens)
        _add_others(stack, MANY - FEW)
        many, then = _case(stack, devices, tokens)
        return [
            *few,
            *many,
            Row("CPU a claim, many against few", then / at_first, "", "key service and PostgreSQL"),
        ]


def _case(stack: Stack, devices: list[str], tokens: list[str]) -> tuple[list[Row], float]:
    seconds, there = 0.0, 0
    used = {"key": 0.0, "postgres": 0.0}
    for _ in range(ROUNDS):
        _fill(stack, devices)
        there = scalar(stack, "select count(*) from key.one_time_prekeys")
        before = processes(stack)
        seconds += _measure(stack, devices, tokens, CLAIMS)
        after = processes(stack)
        used = {name: spent + after[name] - before[name] for name, spent in used.items()}
        left = scalar(stack, "select count(*) from key.one_time_prekeys")
        assert there - left == CLAIMS, (there, left)
    claims, note = ROUNDS * CLAIMS, f"{there:,} stored"
    costs = {name: spent / claims * 1e6 for name, spent in used.items()}
    both = sum(costs.values())
    return [
        Row("claims", claims / seconds, "claims/s", note),
        Row("CPU a claim, key service", costs["key"], "µs", note),
        Row("CPU a claim, PostgreSQL", costs["postgres"], "µs", note),
        Row("CPU a claim, both", both, "µs", note),
    ], both


def _fill(stack: Stack, devices: list[str]) -> None:
    """Leave each of these devices EACH prekeys, and forget the claims before; a claim does not look at the
    bytes of a key, so these are random."""
    connection = stack.database()
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from key.one_time_prekeys where device_id = any(%s::uuid[])", (devices,))
        cursor.execute(
            "insert into key.one_time_prekeys (device_id, key_id, public_key)"
            " select d, k, decode(md5(d::text || k) || md5(k::text), 'hex')"
            " from unnest(%s::uuid[]) d, generate_series(1, %s) k",
            (devices, EACH),
        )
        cursor.execute("truncate key.claims")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze key.one_time_prekeys, key.claims")
    connection.close()


def _add_others(stack: Stack, count: int) -> None:
    """Prekeys of other devices, 200 each."""
    others = [str(uuid4()) for _ in range(count // 200)]
    connection = stack.database()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into key.devices (device_id, user_id)"
            " select d, gen_random_uuid() from unnest(%s::uuid[]) d",
            (others,),
        )
        cursor.execute(
            "insert into key.one_time_prekeys (device_id, key_id, public_key)"
            " select d, k, decode(md5(d::text || k) || md5(k::text), 'hex')"
            " from unnest(%s::uuid[]) d, generate_series(1, 200) k",
            (others,),
        )
        cursor.execute("vacuum analyze key.one_time_prekeys, key.devices")
        cursor.execute("checkpoint")
    connection.close()


def _measure(stack: Stack, devices: list[str], tokens: list[str], claims: int) -> float:
    """Seconds that so many claims take, each of one device."""
    clients = [
        httpx.Client(
            base_url=f"{stack.service_url('key')}/api/v1",
            headers={"Authorization": f"Bearer {text}"},
            timeout=30,
        )
        for text in tokens
    ]

    def work(number: int) -> None:
        for index in range(number, claims, len(clients)):
            answer = clients[number].post("/keys/claim", json={"devices": [devices[index % len(devices)]]})
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["items"]) == 1

    began = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(work, range(len(clients))))
    return time.perf_counter() - began
