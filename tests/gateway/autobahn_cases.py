"""Plays Autobahn's test cases against a WebSocket server: `python autobahn_cases.py URL [CASES ...]`.

Prints their verdicts as JSON: `[[case, behaviour, behaviour at the close], ...]`. A process of its own, for
the cases bring modules named as Autobahn's own, which must not meet those.
"""

import asyncio
import json
import os
import sys

from kosoku import FailureError, run_fuzzingclient


async def main(url, *cases):
    try:
        results = await run_fuzzingclient(url, cases=list(cases) or None, concurrency=2)
    except FailureError as error:
        results = error.results
    verdicts = [(one.case_id, one.behavior.value, one.behavior_close.value) for one in results]
    sys.stdout.write(json.dumps(verdicts))


asyncio.run(main(*sys.argv[1:]))
sys.stdout.flush()
os._exit(0)  # the runner's own threads may still call into an interpreter that ends, which aborts it
