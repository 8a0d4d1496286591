"""Checks of each change of a conversation, made under the conversation's lock."""

from messenger.messages.model import ConversationState, MemberRow
from messenger.wire.errors import Code, Problem, not_found


def refusal(users: list[str]) -> Problem:
    """Problem `forbidden` for who adds users that share no direct conversation with it and want that."""
    return Problem(
        Code.forbidden,
        "Only who shares a direct conversation with them adds these users to groups.",
        members={"users": users},
    )


def check_open(state: ConversationState) -> None:
    """Problem `gone` where it has ended."""
    if state.ended:
        raise Problem(Code.gone, "The conversation has ended.")


def check_blocks(state: ConversationState) -> None:
    """Problem `blocked` where a block stands in it."""
    if state.blocked:
        raise Problem(Code.blocked)


def check_group(state: ConversationState) -> None:
    """Problem `conflict` for a direct conversation."""
    if state.type == "direct":
        raise Problem(Code.conflict, "Membership of a direct conversation is fixed.")


def check_admin(state: ConversationState) -> None:
    """Problem `forbidden` for a plain member."""
    if state.actor.role == "member":
        raise Problem(Code.forbidden, "This takes an admin.")


def check_target(state: ConversationState) -> MemberRow:
    """The member that is acted on; Problem `not_found`."""
    if state.target is None:
        raise not_found("The user is no member.")
    return state.target
