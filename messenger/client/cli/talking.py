"""conversations, send, listen, history."""

import argparse
import sys
from typing import TypeAlias

from messenger.client import (
    Client,
    Conversation,
    ConversationAdded,
    ConversationUpdated,
    Event,
    MessageEdited,
    MessageReceived,
    ServerWarning,
    SessionEnded,
)
from messenger.client.cli.events import event_words, message_words
from messenger.client.cli.opening import connected, opened, refreshed
from messenger.client.cli.output import Output, clean, clock, fields

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
MOST_INPUT = 1 << 20  # more than any message may hold


def add_commands(commands: Commands) -> None:
    """Add these commands to the command line."""
    made = commands.add_parser("conversations", help="list conversations, the latest first")
    made.set_defaults(command=conversations)
    made = commands.add_parser("send", help="send a text; returns when the server has stored it")
    made.add_argument("name", metavar="NAME-OR-GROUP", help="a user, a group's name, or an id")
    made.add_argument("text", metavar="TEXT", help="- reads it from standard input")
    made.set_defaults(command=send)
    made = commands.add_parser("listen", help="show what comes, as it comes, until interrupted")
    made.add_argument("--count", type=_positive, metavar="N", help="end after N messages")
    made.set_defaults(command=listen)
    made = commands.add_parser("history", help="show past messages, from this device's store")
    made.add_argument("name", metavar="NAME-OR-GROUP")
    made.add_argument("--limit", type=_positive, default=50, metavar="N", help="the latest N (50)")
    made.set_defaults(command=history)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


async def conversations(chosen: argparse.Namespace, output: Output) -> None:
    async with refreshed(chosen, output) as client:
        for one in await client.conversations():
            unread = f"{one.unread} unread" if one.unread else ""
            kind = "group" if one.type == "group" else "verified" if one.verified else "direct"
            words = f"{one.id}  {clean(one.title):24}  {kind:8}  {clock(one.updated_at):16}  {unread}"
            output.result(fields(one), words.rstrip(), "bold" if one.unread else "")


async def send(chosen: argparse.Namespace, output: Output) -> int:
    text = chosen.text
    if text == "-":
        text = sys.stdin.read(MOST_INPUT).rstrip("\n")
    if not text.strip():
        output.say("messenger: there is nothing to send", "red")
        return 1
    async with connected(chosen, output) as client:
        conversation = await client.conversation(chosen.name)
        await tell_findings(conversation, output)
        if conversation.waits_for_roster:
            message = await conversation.enqueue(text)
            output.say(
                "It waits: nobody has said yet who is in this group (`messenger group info`).", "yellow"
            )
        else:
            message = await conversation.send(text)
        output.result(message, message_words(message, conversation.title))
    return 0


async def tell_findings(conversation: Conversation, output: Output) -> None:
    """Say what the rules found before anything is sent; on standard error, so that results stay results."""
    for event in await conversation.look():
        told = event_words(event, {conversation.id: conversation.title})
        if told is not None:
            output.say(*told)


async def listen(chosen: argparse.Namespace, output: Output) -> int:
    left = chosen.count
    async with opened(chosen) as client:
        client.start()
        titles = await titles_of(client)
        async for event in client.events():
            new = isinstance(event, ConversationAdded | ConversationUpdated)
            if new or _place(event) not in ("", *titles):
                titles = await titles_of(client)
            told = event_words(event, titles)
            if told is not None:
                output.result(event, *told)
            if event.position:
                await client.handled(event)
            if isinstance(event, ServerWarning):
                output.say("The server, or somebody at it, did what it must not. See docs/security.", "red")
            if isinstance(event, SessionEnded):
                return 3
            if left is not None and isinstance(event, MessageReceived):
                left -= 1
                if left == 0:
                    return 0
    return 0


def _place(event: Event) -> str:
    """The conversation that an event is about; empty for none."""
    if isinstance(event, MessageReceived | MessageEdited):
        return event.message.conversation_id
    return getattr(event, "conversation_id", None) or ""


async def titles_of(client: Client) -> dict[str, str]:
    """The conversations' titles, by id."""
    return {one.id: one.title for one in await client.conversations()}


async def history(chosen: argparse.Namespace, output: Output) -> None:
    async with refreshed(chosen, output) as client:
        conversation = await client.conversation(chosen.name)
        for message in await conversation.history(chosen.limit):
            output.result(message, message_words(message))
