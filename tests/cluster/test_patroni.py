"""Patroni decides who is the primary: when its machine is lost services go on with the other one, and nothing
that was answered for is lost."""

import asyncio
from pathlib import Path

import pytest

from tests.cluster.patroni import couple, why_not
from tests.cluster.test_failover import check, served, talk

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.skipif(bool(why_not()), reason=why_not())]

TIMES = 2


def test_what_patroni_promotes_is_gone_on_with(tmp_path: Path) -> None:
    with couple() as servers, served(tmp_path, servers.hosts) as stack:
        talkers = asyncio.run(talk(stack, servers, TIMES))
        check(talkers, order=True)
    assert all(len(one.epochs) == TIMES + 1 for one in talkers)
