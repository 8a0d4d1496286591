"""The cable between a network namespace and the one that started this: slow and lossy as it is told.

It does what `tc netem` does (delay, jitter, loss, each packet by itself, so that they overtake each other),
also on kernels without it: a TUN device at either end, and this process between them. It is started inside
the namespace, with the descriptor of the outer device, and takes lines of JSON on its standard input:

    {"delay": 0.2, "jitter": 0.1, "loss": 0.05}     seconds, seconds, share of the packets
"""

import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
PACKET = 65_536
WAITING = 20_000  # packets; what comes beyond is lost, as in a router's queue


def open_tun(name: str) -> int:
    """The descriptor of a new TUN device of this name, in this process's namespace. OSError."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


def carry(inner: int, outer: int) -> None:
    """Carry packets both ways until standard input ends."""
    delay = jitter = loss = 0.0
    waiting: list[tuple[float, int, int, bytes]] = []
    number = 0
    other = {inner: outer, outer: inner}
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select([inner, outer, sys.stdin], [], [], pause)
        now = time.monotonic()
        if sys.stdin in readable:
            line = sys.stdin.readline()
            if not line:
                return
            told = json.loads(line)
            delay, jitter, loss = told["delay"], told["jitter"], told["loss"]
        for end in (inner, outer):
            if end in readable and (packet := _read(end)) and random.random() >= loss:
                number += 1
                due = now + max(0.0, delay + random.uniform(-jitter, jitter)) if delay or jitter else now
                if len(waiting) < WAITING:
                    heapq.heappush(waiting, (due, number, other[end], packet))
        while waiting and waiting[0][0] <= now:
            _, _, end, packet = heapq.heappop(waiting)
            _write(end, packet)


def _read(end: int) -> bytes:
    try:
        return os.read(end, PACKET)
    except OSError:  # the device is down
        return b""


def _write(end: int, packet: bytes) -> None:
    try:
        os.write(end, packet)
    except OSError:  # its queue is full, or the device is down: the packet is lost, as packets are
        return


if __name__ == "__main__":
    carry(open_tun("wire"), int(sys.argv[1]))
