"""How Python's garbage collector disturbs a process that serves as little as it can.

A full collection looks at every object there is, and nobody is served meanwhile: 95 ms with 3,000 sockets.
There is one whenever a quarter of new objects has come, in a storm of reconnects several times. What stands
when a process has started stands for good, and is taken out of it; and a full collection is considered less
often. What is garbage without cycles, nearly all of it, goes at once as ever.
"""

import gc

THRESHOLDS = (700, 10, 50)  # Python's own are 700, 10, 10


def settle() -> None:
    """All that is here now stays; to be called once, when the process has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
