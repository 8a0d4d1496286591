"""A checker in the manner of Jepsen (https://jepsen.io): clients at work, faults at random, and a verdict.

`workload` writes numbered messages from many devices on all gateways, `faults` breaks one part after the
other, `history` keeps everything that clients saw, and `verdict` holds that against what the contract
promises. `trial` puts them together; `python -m tests.system.checker` runs one of any length.
"""
