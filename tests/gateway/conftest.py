"""The gateway's tests share the in-memory wire of the HTTP layer's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "core" / "http"))
