"""Stacks that system tests share: each is started once, when the first test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.engine_faults import OTHER_S3
from tests.system.people import Person
from tests.system.stack import Stack, running


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything in one process."""
    with running(Stack(Path(tmp_path_factory.mktemp("one")), "one")) as stack:
        yield stack


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every service on its own, two gateways and two message services."""
    with running(Stack(Path(tmp_path_factory.mktemp("apart")), "apart")) as stack:
        yield stack


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two auth and two key services behind one gateway."""
    folder = Path(tmp_path_factory.mktemp("twins"))
    with running(Stack(folder, "apart", instances=1, counts={"auth": 2, "key": 2})) as stack:
        yield stack


@pytest.fixture(params=["one", "apart"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Both forms, one after the other; with another S3 than the embedded one, the form that can use it."""
    if OTHER_S3 and request.param == "one":
        pytest.skip("this form has an S3 of its own")
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def people(stack: Stack) -> list[Person]:
    """Three people, on both gateways where there are two."""
    urls = stack.urls * 3
    return [Person(urls[number], name) for number, name in enumerate(("ann", "ben", "cat"))]
