"""What is kept out while others are imported can be imported afterwards."""

import importlib
import subprocess
import sys
from unittest import TestCase

from messenger.core.lean import without

NAME = "wave"  # of the standard library, and nobody's here


class WithoutTests(TestCase):
    def setUp(self) -> None:
        sys.modules.pop(NAME, None)

    def test_it_can_not_be_imported_meanwhile(self) -> None:
        with without(NAME), self.assertRaises(ImportError):
            importlib.import_module(NAME)
        self.assertTrue(importlib.import_module(NAME).open)

    def test_it_holds_what_stands_in(self) -> None:
        with without(NAME, open=1):
            self.assertEqual(vars(importlib.import_module(NAME))["open"], 1)
        self.assertTrue(callable(importlib.import_module(NAME).open))

    def test_what_is_there_already_stays(self) -> None:
        there = importlib.import_module(NAME)
        with without(NAME):
            self.assertIs(importlib.import_module(NAME), there)
        self.assertIs(sys.modules[NAME], there)

    def test_the_engines_clients_bring_in_nothing_that_we_never_use(self) -> None:
        program = """
import sys
import messenger.core.bus.connection
from messenger.core import blobs, cache
print(*{"aiohttp", "minio.minioadmin", "opentelemetry"} & set(sys.modules))
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "")
