"""A "no" has a name of its own: no built-in exception means "not found", so a fault in a store is a 500."""

import ast
from pathlib import Path

import pytest

import messenger

BUILT_IN = {"LookupError", "KeyError", "IndexError", "FileNotFoundError"}


def named(node: ast.expr | None) -> set[str]:
    """The exceptions that an `except` or a `raise` names."""
    if isinstance(node, ast.Tuple):
        return {name for one in node.elts for name in named(one)}
    if isinstance(node, ast.Call):
        return named(node.func)
    return {node.id} if isinstance(node, ast.Name) else set()


@pytest.mark.parametrize("service", ["auth", "keys", "messages", "files", "gateway"])
def test_no_built_in_exception_means_not_found(service: str) -> None:
    found = []
    for path in sorted(Path(messenger.__path__[0], service).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                names = named(node.type)
            elif isinstance(node, ast.Raise):
                names = named(node.exc)
            else:
                continue
            found += [f"{path.name}:{node.lineno} {name}" for name in names & BUILT_IN]
    assert found == []
