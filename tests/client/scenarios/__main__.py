"""`python -m tests.client.scenarios` writes docs/vectors/scenarios.json."""

from tests.client.scenarios.file import PATH, text_of
from tests.client.scenarios.stories import all_scenarios

if __name__ == "__main__":
    PATH.write_text(text_of(all_scenarios()))
