"""What the dashboard and the alerts look at is what a running system exports, under the labels they use."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.monitoring.monitoring_files import metrics_of, panel_expressions, rules
from tests.system.engine_faults import OTHER_S3
from tests.system.people import Person
from tests.system.stack import SERVICES, Stack, running

pytestmark = pytest.mark.system

PORTS = ("gateway-metrics", *SERVICES)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}")


def scrape(stack: Stack, name: str) -> str:
    port = stack.ports.get(name) or stack.ports[f"{name}-1"]
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
    assert answer.status_code == 200
    return answer.text


def value(text: str, sample: str) -> float:
    """The value of a sample, 0 where there is none."""
    for line in text.splitlines():
        if line.startswith(f"{sample} "):
            return float(line.rpartition(" ")[2])
    return 0.0


@pytest.fixture(scope="module", params=["one", "apart"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of our own: what a server exports grows with the kinds of calls that others have asked of it."""
    if OTHER_S3 and request.param == "one":
        pytest.skip("this form has an S3 of its own")
    with running(Stack(Path(tmp_path_factory.mktemp("watching")), request.param)) as made:
        yield made


@pytest.fixture
def exported(stack: Stack) -> dict[str, str]:
    """What each port exports after a message has gone from one to another."""
    alice, bob = Person(stack.url, "alice"), Person(stack.url, "bob")
    name = alice.direct(bob)
    with bob.socket() as socket:
        socket.until("synced")
        alice.send(name)
        socket.until("message")
    return {port: scrape(stack, port) for port in PORTS}


def test_every_metric_that_is_looked_at_is_exported(stack: Stack, exported: dict[str, str]) -> None:
    names = {
        re.split(r"[ {]", line, maxsplit=1)[0]
        for text in exported.values()
        for line in text.splitlines()
        if not line.startswith("#")
    }
    looked_at = {rule["alert"]: rule["expr"] for rule in rules()} | panel_expressions()
    elsewhere = {"up"}
    if stack.form == "one":  # there the services are in the gateway's own process
        elsewhere |= {"messenger_gateway_upstream_requests", "messenger_gateway_upstream_resting"}
    else:  # no key, no wake-ups
        elsewhere |= {
            "messenger_push_tries_total",
            "messenger_push_late_seconds_bucket",
            "messenger_push_under_way",
        }
    missing = {where: metrics_of(expression) - names - elsewhere for where, expression in looked_at.items()}
    assert not {where: metrics for where, metrics in missing.items() if metrics}


def test_every_label_that_alerts_choose_by_is_there(exported: dict[str, str]) -> None:
    """A rule on `event="guess_refused"` must find it before the first guess was refused."""
    text = "\n".join(exported.values())
    for rule in rules():
        for name, label, wanted in re.findall(r'(messenger_\w+)\{(\w+)="(\w+)"\}', rule["expr"]):
            assert re.search(rf'^{name}\{{[^}}]*{label}="{wanted}"', text, re.MULTILINE), rule["alert"]


def test_labels_are_templates_and_never_what_clients_sent(exported: dict[str, str]) -> None:
    for text in exported.values():
        assert not _ID.search(text)
        assert len(text.splitlines()) < 2_000


def test_a_message_is_counted_at_each_station(stack: Stack, exported: dict[str, str]) -> None:
    del exported
    texts = [scrape(stack, name) for name in stack.ports if name.rpartition("-")[0] == "message"]
    texts = texts or [scrape(stack, "message")]
    for station in ("accept", "commit", "delivery"):
        assert sum(value(text, f"messenger_message_{station}_seconds_count") for text in texts) > 0
    for check in ("postgresql", "nats"):
        assert all(value(text, f'messenger_up{{check="{check}"}}') == 1 for text in texts)
    assert value(scrape(stack, "file"), 'messenger_up{check="s3"}') == 1
    assert value(scrape(stack, "gateway-metrics"), 'messenger_up{check="auth"}') == 1
