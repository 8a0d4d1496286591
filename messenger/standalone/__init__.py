"""Everything in one process on embedded engines: for a first look, a small server and the tests."""
