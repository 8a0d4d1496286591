"""Events in words, for `listen` and the full screen."""

from messenger.client import (
    ConversationAdded,
    ConversationEnded,
    DeviceApproved,
    DeviceListChanged,
    DeviceWaiting,
    Event,
    GoneFromServer,
    HistoryRestarted,
    IdentityChanged,
    MembershipChanged,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    RosterChanged,
    SendFailed,
    ServerWarning,
    SessionEnded,
    TakenOver,
)
from messenger.client.cli.output import Style, clean, size, times
from messenger.client.records import Message

WARNING: Style = "bold red"


def message_words(message: Message, title: str = "") -> str:
    """A message in a line, or several where its text has several."""
    place = f"[{clean(title)}] " if title else ""
    if message.state == "deleted":
        said = "(deleted)"
    elif message.file is not None:
        name = clean(message.file.name).replace("\n", " ")
        said = f"{name} ({size(message.file.size)}), file {message.file.id}"
        if message.text:
            said = f"{clean(message.text)}: {said}"
    else:
        said = clean(message.text)
    mark = {"queued": " (waiting)", "failed": " (not sent)"}.get(message.state, "")
    who = "you" if message.outgoing else clean(message.sender)
    when = times(message.sent_at, message.created_at)
    return f"{when} {place}{who}: {said}{mark}{''.join(f' ({one})' for one in remarks(message))}"


def remarks(message: Message) -> list[str]:
    """Remarks on a message: that it was edited, that the server has it no more."""
    if message.state == "deleted":
        return []
    found = (("edited", message.edited), ("no longer on the server", message.gone))
    return [words for words, there in found if there]


def event_words(event: Event, titles: dict[str, str]) -> tuple[str, Style] | None:  # noqa: PLR0911, PLR0912 - a case each
    """What to tell people of an event, and how; None where there is nothing to tell.

    `titles` are the conversations', by id.
    """
    match event:
        case MessageReceived(message=message):
            return message_words(message, titles.get(message.conversation_id, "")), ""
        case MessageDeleted(conversation_id=place):
            return f"a message in {_title(titles, place)} was deleted", "dim"
        case MessageEdited(message=message):
            return message_words(message, titles.get(message.conversation_id, "")), "dim"
        case GoneFromServer(conversation_id=place):
            return f"the server no longer has a message in {_title(titles, place)}, as it says", "dim"
        case HistoryRestarted(detail=detail):
            return detail, "dim"
        case SendFailed(message=message, detail=detail):
            return f"not sent: {message_words(message)}: {detail}", WARNING
        case ConversationAdded(title=title):
            return f"new conversation: {clean(title) or 'a group'}", "dim"
        case ConversationEnded(conversation_id=place):
            return f"{_title(titles, place)} has ended for you", "dim"
        case MembershipChanged():
            return f"the server says: {_membership(event, titles)}", "dim"
        case RosterChanged():
            return _roster(event, titles), WARNING if event.change == "unconfirmed" else "dim"
        case IdentityChanged(username=name, was_verified=verified, accepted=accepted):
            then = "" if accepted else f"; nothing goes there until `messenger verify --accept {clean(name)}`"
            before = " You had verified it." if verified else ""
            compare = f"Compare safety numbers (`messenger verify {clean(name)}`)"
            return f"the identity of {clean(name)} has changed.{before} {compare}{then}", WARNING
        case DeviceListChanged(username=name, change=change):
            return (
                f"{clean(name)} has {'one device more' if change == 'added' else 'removed a device'}",
                "dim",
            )
        case DeviceWaiting():
            return (
                "a new device of yours waits: compare its code, then `messenger devices approve CODE`",
                "bold",
            )
        case DeviceApproved():
            return "this device is approved", "bold"
        case SessionEnded(reason=reason):
            return f"the session has ended ({reason}): log in again", WARNING
        case TakenOver():
            return "another process is connected as this device: was the profile copied?", WARNING
        case ServerWarning(reason=reason, detail=detail, username=name, conversation_id=place):
            where = f" in {_title(titles, place)}" if place else ""
            who = f" from {clean(name)}" if name else ""
            return f"WARNING: {clean(detail)} ({reason}{who}{where})", WARNING
        case _:
            return None


def _title(titles: dict[str, str], conversation_id: str) -> str:
    return clean(titles.get(conversation_id) or conversation_id)


def _membership(event: MembershipChanged, titles: dict[str, str]) -> str:
    place, who = _title(titles, event.conversation_id), clean(event.username)
    if event.change == "added":
        return f"{who} is in {place} now"
    return _other_change(event, place, who)


def _other_change(event: MembershipChanged | RosterChanged, place: str, who: str) -> str:
    match event.change:
        case "left":
            return f"{who} has left {place}"
        case "removed":
            return f"{who} was removed from {place}"
        case _:
            return f"{who} is {event.role} of {place} now"


def _roster(event: RosterChanged, titles: dict[str, str]) -> str:
    place, who = _title(titles, event.conversation_id), clean(event.username)
    match event.change:
        case "made":
            return f"{who} is in {place}, {event.role}"
        case "added":
            return f"{who} is in {place} now, {event.role}"
        case "confirmed":
            return f"the new identity of {who} is confirmed in {place}"
        case "unconfirmed":
            return (
                f"{who} has another identity than {place} was told, and reads nothing there until its owner"
                f" or an admin has said `messenger group confirm {place} {who}`"
            )
        case _:
            return _other_change(event, place, who)
