"""All scenarios of the file."""

from itertools import chain
from typing import Any

from tests.client.scenarios import (
    story_files,
    story_groups,
    story_order,
    story_passwords,
    story_payloads,
    story_rosters,
    story_sesame,
    story_sessions,
    story_trust,
)

SUBJECTS = (
    story_sessions,
    story_sesame,
    story_groups,
    story_trust,
    story_passwords,
    story_rosters,
    story_order,
    story_payloads,
    story_files,
)


def all_scenarios() -> list[dict[str, Any]]:
    """Made anew by the core."""
    return [script.scenario for script in chain.from_iterable(subject.stories() for subject in SUBJECTS)]
