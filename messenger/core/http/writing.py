"""Writing to a socket at once.

A transport of Twisted keeps what it is given until the reactor finds the socket writable, which costs a turn
of the event loop and two changes of what it watches. Where nothing waits in front of them, bytes can go to
the kernel at once; what it does not take is left to the transport as ever, back-pressure included.
"""

from typing import Any

from twisted.internet.tcp import Connection

# Half of Twisted's measure: each of a long body's connections holds a few pieces of this size.
PIECE_BYTES = 32_768


def flow_in_pieces(transport: Any) -> None:
    """Read PIECE_BYTES at a time, and pause who writes when more than that waits to be sent."""
    transport.bufferSize = PIECE_BYTES


def write_now(transport: Any, data: bytes) -> None:
    """`transport.write(data)`, sooner if it is a plain TCP one with nothing in its buffers."""
    if (
        isinstance(transport, Connection)
        and not transport.TLS
        and not transport.dataBuffer
        and not transport._tempDataBuffer
        and transport.connected
        and not transport.disconnecting
        and not transport._writeDisconnecting
    ):
        sent: Any = transport.writeSomeData(data)
        if isinstance(sent, int) and sent > 0:
            if sent < len(data):
                transport.write(data[sent:])
            return
        # An error, or a full socket: the transport meets it again, and deals with it.
    transport.write(data)
