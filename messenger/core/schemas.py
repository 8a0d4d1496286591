"""Which schemas there are, and the version of each that this code was written for.

Apart from core/migrate.py, so that a service that only checks its schema's version does not import alembic.
"""

from importlib import resources
from pathlib import Path

# In the order of who needs whose views: a giver comes before those it grants to are used.
SCHEMAS = {
    "auth": "messenger.auth.schema",
    "key": "messenger.keys.schema",
    "message": "messenger.messages.schema",
    "file": "messenger.files.schema",
}


def newest(schema: str) -> str:
    """The version of `schema` that this code was written for: the number its last migration's name bears."""
    return sorted(path.name[:4] for path in folder(schema).glob("[0-9]*.py"))[-1]


def folder(schema: str) -> Path:
    """Where the schema's migrations are."""
    return Path(str(resources.files(SCHEMAS[schema])))
