"""A load generator in a process of its own, so that its work is not counted as the system's."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


@contextmanager
def generator(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[Connection, int]]:
    """Runs `target(*arguments, pipe)` as a child; gives our end of the pipe and the child's pid.

    A child that dies shows as EOFError where it is waited for. It is ended with the block.
    """
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=target, args=(*arguments, theirs))
    child.start()
    theirs.close()
    assert child.pid is not None
    try:
        yield ours, child.pid
        child.join(30)
    finally:
        ours.close()
        if child.is_alive():
            child.terminate()
            child.join()
