"""Messages, ticks and conversations as the full screen shows them. Pure functions, to be tested as such."""

from rich.text import Text

from messenger.client.cli.events import remarks
from messenger.client.cli.output import clean, size, times
from messenger.client.records import Message

WAITING, SENT, DELIVERED, FAILED = "…", "✓", "✓✓", "✗"


def tick(message: Message, delivered_seq: int, read_seq: int) -> tuple[str, str]:
    """An own message's mark and its style: waiting, sent, delivered to the peer, read by the peer."""
    if message.state == "failed":
        return FAILED, "bold red"
    if message.seq is None:
        return WAITING, "dim"
    if message.seq <= read_seq:
        return DELIVERED, "bold cyan"
    if message.seq <= delivered_seq:
        return DELIVERED, "dim"
    return SENT, "dim"


def message_line(message: Message, delivered_seq: int, read_seq: int) -> Text:
    """One message."""
    line = Text()
    line.append(f"{times(message.sent_at, message.created_at)} ", "dim")
    who = "you" if message.outgoing else clean(message.sender)
    line.append(f"{who}: ", "bold green" if message.outgoing else "bold")
    if message.state == "deleted":
        line.append("deleted", "dim italic")
    else:
        if message.text:
            line.append(clean(message.text))
        if message.file is not None:
            name = clean(message.file.name).replace("\n", " ")
            line.append(f" ⎘ {name} ({size(message.file.size)})", "underline")
            line.append(f"  messenger file get {message.file.id}", "dim")
    for remark in remarks(message):
        line.append(f" ({remark})", "dim italic")
    if message.outgoing and message.state != "deleted":
        mark, style = tick(message, delivered_seq, read_seq)
        line.append(f" {mark}", style)
    return line


def conversation_line(title: str, unread: int, verified: bool, ended: bool, online: bool) -> Text:
    """A conversation in the list."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append("● " if online else "  ", "green")
    line.append(clean(title), "dim" if ended else "bold" if unread else "")
    if verified:
        line.append(" ✔", "cyan")
    if unread:
        line.append(f"  {unread if unread < 1000 else '999+'}", "bold reverse")
    return line
