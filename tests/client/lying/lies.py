"""All lies, each a switch of its own."""

from tests.client.lying import (
    lies_approval,
    lies_bundles,
    lies_files,
    lies_inserted,
    lies_keys,
    lies_messages,
    lies_people,
)
from tests.client.lying.liar import Lie

ALL: tuple[type[Lie], ...] = (
    *(*lies_people.LIES, *lies_approval.LIES, *lies_keys.LIES, *lies_bundles.LIES),
    *(*lies_messages.LIES, *lies_inserted.LIES, *lies_files.LIES),
)
