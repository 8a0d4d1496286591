"""Every error that an answer or a frame can name (RFC 9457).

A `Code` is a stable word with an HTTP status and a title. Raising `Problem` anywhere below an endpoint or a
frame is how a rule says no; core/http and messages/socket turn it into the answer. Nothing else decides on
a status, so the table below is the whole of what a client may meet.
"""

from enum import StrEnum
from typing import Any

PROBLEM_TYPE = "application/problem+json"


class Code(StrEnum):
    """The stable words of the wire contract."""

    bad_request = "bad_request"
    unauthorized = "unauthorized"
    token_expired = "token_expired"  # noqa: S105 - a word of the contract
    refresh_reused = "refresh_reused"
    second_factor_required = "second_factor_required"
    forbidden = "forbidden"
    blocked = "blocked"
    not_found = "not_found"
    method_not_allowed = "method_not_allowed"
    conflict = "conflict"
    username_taken = "username_taken"
    identity_key_immutable = "identity_key_immutable"
    devices_changed = "devices_changed"
    device_limit = "device_limit"
    gone = "gone"
    precondition_failed = "precondition_failed"
    too_large = "too_large"
    unsupported_media_type = "unsupported_media_type"
    range_not_satisfiable = "range_not_satisfiable"
    unprocessable = "unprocessable"
    rate_limited = "rate_limited"
    checksum_mismatch = "checksum_mismatch"
    internal = "internal"
    bad_gateway = "bad_gateway"
    unavailable = "unavailable"
    gateway_timeout = "gateway_timeout"

    @property
    def status(self) -> int:
        """The HTTP status that goes with this code."""
        return _TABLE[self][0]

    @property
    def summary(self) -> str:
        """A short sentence for people; the same for every occurrence."""
        return _TABLE[self][1]


_TABLE: dict[Code, tuple[int, str]] = {
    Code.bad_request: (400, "The request is malformed"),
    Code.unauthorized: (401, "Authentication is required"),
    Code.token_expired: (401, "The access token has expired"),
    Code.refresh_reused: (401, "The refresh token was used before; the session has ended"),
    Code.second_factor_required: (401, "A second factor is required"),
    Code.forbidden: (403, "This is not allowed"),
    Code.blocked: (403, "A block stands between the two users"),
    Code.not_found: (404, "There is no such thing"),
    Code.method_not_allowed: (405, "This path does not know the method"),
    Code.conflict: (409, "This conflicts with what stands"),
    Code.username_taken: (409, "The username is taken"),
    Code.identity_key_immutable: (409, "The identity key is set and can't be changed"),
    Code.devices_changed: (409, "The members' devices have changed"),
    Code.device_limit: (409, "The user has as many devices as are allowed"),
    Code.gone: (410, "This has ended"),
    Code.precondition_failed: (412, "A precondition does not hold"),
    Code.too_large: (413, "This is too large"),
    Code.unsupported_media_type: (415, "The body's type is not supported"),
    Code.range_not_satisfiable: (416, "The range can't be satisfied"),
    Code.unprocessable: (422, "The request breaks a rule"),
    Code.rate_limited: (429, "Too many requests"),
    Code.checksum_mismatch: (460, "The checksum is not that of what arrived"),
    Code.internal: (500, "Something went wrong here"),
    Code.bad_gateway: (502, "A service behind the gateway did not answer properly"),
    Code.unavailable: (503, "Not available at the moment"),
    Code.gateway_timeout: (504, "A service behind the gateway did not answer in time"),
}


class Problem(Exception):
    """A no with a name, for a client to read.

    `detail` says in a sentence what was wrong and names no secret; `members` are further members of the
    problem document (such as `missing` and `extra`); `retry_after` is in whole seconds; `headers` are
    further headers of an HTTP answer (such as `Allow`).
    """

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        members: dict[str, Any] | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail or code.summary + "."
        self.members = members or {}
        self.retry_after = retry_after
        self.headers = headers or {}

    def document(self, request_id: str) -> dict[str, Any]:
        """The problem document for an HTTP answer (RFC 9457 section 3)."""
        return {
            "type": f"urn:secure-messenger:problem:{self.code}",
            "title": self.code.summary,
            "status": self.code.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            **self.members,
        }


def too_many(name: str, most: int, what: str) -> Problem:
    """The answer where there are as many as the setting `name` allows; `what` are they, in words."""
    return Problem(
        Code.unprocessable, f"There may be at most {most} {what}.", members={"limit": name, "most": most}
    )


def not_found(detail: str = "There is no such thing, or you may not see it.") -> Problem:
    """The answer for what does not exist and for what the asker may not see: existence does not leak."""
    return Problem(Code.not_found, detail)


def unavailable(detail: str, retry_after: int = 1) -> Problem:
    """An engine or a queue that can't serve now; the client may try again after `retry_after` seconds."""
    return Problem(Code.unavailable, detail, retry_after=retry_after)
