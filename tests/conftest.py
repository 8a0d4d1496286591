"""For all tests: none of them asserts a time, and Hypothesis does not either. Machines that test are busy."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
