"""Long bodies and long answers of whose session may end before they do.

A request is let in at its head, and what it then sends or takes can go on for hours. When its session ends, a
body that is still under way fails as the request would have failed without a session, and an answer that is
under way is cut off. A request whose body is complete is through: what it does, it does.
"""

from messenger.core.http.request import Request
from messenger.wire.errors import Code, Problem
from messenger.wire.events import SessionEnded


def session_ended() -> Problem:
    """The answer to a request whose session has ended since it was let in."""
    return Problem(Code.unauthorized, "The session has ended.")


class Transfers:
    """The requests under way, by session."""

    def __init__(self) -> None:
        self._requests: dict[str, set[Request]] = {}

    def add(self, session_id: str, request: Request) -> None:
        """This request takes its time."""
        self._requests.setdefault(session_id, set()).add(request)

    def remove(self, session_id: str, request: Request) -> None:
        """This request is over, if it was here."""
        found = self._requests.get(session_id)
        if found is not None:
            found.discard(request)
            if not found:
                del self._requests[session_id]

    def end(self, ended: SessionEnded) -> None:
        """Break off what goes on for a session that has ended."""
        for request in list(self._requests.get(ended.session_id, ())):
            if not request.body.complete:
                request.body.fail(session_ended())
            elif request.startedWriting:
                request.cut()
