"""file send|get|list."""

import argparse
from pathlib import Path
from typing import TypeAlias

from messenger.client.cli.events import message_words
from messenger.client.cli.opening import connected, refreshed
from messenger.client.cli.output import Output
from messenger.client.cli.talking import tell_findings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_commands(commands: Commands) -> None:
    """Add these commands to the command line."""
    made = commands.add_parser("file", help="send and fetch files, encrypted on this machine")
    actions = made.add_subparsers(metavar="ACTION", required=True)
    one = actions.add_parser("send", help="send a file, of any size that the server takes")
    one.add_argument("name", metavar="NAME-OR-GROUP")
    one.add_argument("path", metavar="PATH", type=Path)
    one.add_argument("--text", default="", help="some words with it")
    one.set_defaults(command=send)
    one = actions.add_parser("get", help="fetch and decrypt a file; `file list` and `history` show ids")
    one.add_argument("id", metavar="ID")
    one.add_argument("path", metavar="PATH", type=Path, nargs="?", help="default: its own name, here")
    one.add_argument("--overwrite", action="store_true")
    one.set_defaults(command=get)
    one = actions.add_parser("list", help="the files that came or went")
    one.add_argument("name", metavar="NAME-OR-GROUP", nargs="?")
    one.set_defaults(command=list_files)


async def send(chosen: argparse.Namespace, output: Output) -> None:
    if not chosen.path.is_file():
        raise FileNotFoundError(2, "there is no such file", str(chosen.path))
    async with connected(chosen, output) as client:
        conversation = await client.conversation(chosen.name)
        await tell_findings(conversation, output)
        with output.progress(chosen.path.name) as progress:
            message = await conversation.send_file(chosen.path, text=chosen.text, progress=progress)
        output.result(message, message_words(message, conversation.title))


async def get(chosen: argparse.Namespace, output: Output) -> None:
    async with refreshed(chosen, output) as client:
        with output.progress(chosen.id) as progress:
            path = await client.fetch_file(
                chosen.id, chosen.path, progress=progress, overwrite=chosen.overwrite
            )
        output.result({"path": str(path)}, f"saved to {path}")


async def list_files(chosen: argparse.Namespace, output: Output) -> None:
    async with refreshed(chosen, output) as client:
        where = await client.conversation(chosen.name) if chosen.name else None
        for message in await client.files(where):
            output.result(message, message_words(message))
