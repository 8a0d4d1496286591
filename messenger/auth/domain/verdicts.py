"""The rules of logins and refreshes, judged by what stands at that moment, without any I/O."""

import hmac
from datetime import timedelta
from hashlib import sha256

from messenger.auth.model import Challenge, EndReason, LoginState, LoginVerdict, RefreshVerdict, SessionState

# How long a client that lost the answer to a refresh may ask again.
REPEAT = timedelta(seconds=30)


def judge_login(state: LoginState, password_hash: str, device_id: str | None, most: int) -> LoginVerdict:
    """Judge a login by a password that was right, of this hash, as `device_id` or as a new device."""
    if state.password_hash != password_hash:
        return LoginVerdict.void
    if state.second_factor:
        return LoginVerdict.second_factor
    return judge_device(state, device_id, most)


def judge_device(state: LoginState, device_id: str | None, most: int) -> LoginVerdict:
    """Judge as which device somebody logs in; a user has at most `most`."""
    if device_id is not None:
        known = device_id in state.device_ids
        return LoginVerdict.known_device if known else LoginVerdict.no_such_device
    return LoginVerdict.device_limit if len(state.device_ids) >= most else LoginVerdict.new_device


def still_holds(challenge: Challenge, state: LoginState) -> bool:
    """Whether the login could still be made: its user can log in, with the same password, by two factors."""
    if state.password_hash is None or not state.second_factor:
        return False
    return hmac.compare_digest(challenge.credential, credential(state.password_hash))


def credential(password_hash: str) -> bytes:
    """The hash by which a challenge knows the password that it was given for."""
    return sha256(password_hash.encode("ascii")).digest()


def judge_refresh(state: SessionState, token_hash: bytes) -> RefreshVerdict:
    """Judge a genuine refresh token.

    The current one is spent; the one before it is answered again for 30 s if its successor was not used; any
    other was used before, so somebody has a copy.
    """
    if state.end_reason == EndReason.reused:
        return RefreshVerdict.reused
    if state.end_reason == EndReason.removed:
        return RefreshVerdict.removed
    if state.end_reason is not None or state.expires_at <= state.now:
        return RefreshVerdict.ended
    if hmac.compare_digest(token_hash, state.refresh_hash):
        return RefreshVerdict.spend
    if (
        state.previous_hash is not None
        and state.spent_at is not None
        and hmac.compare_digest(token_hash, state.previous_hash)
        and state.now - state.spent_at < REPEAT
    ):
        return RefreshVerdict.repeat
    return RefreshVerdict.reused
