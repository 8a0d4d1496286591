"""group create|add|remove|leave|members|info|confirm|rename|role."""

import argparse
from typing import TypeAlias

from messenger.client.cli.opening import connected, refreshed
from messenger.client.cli.output import Output, clean, fields
from messenger.client.records import Member

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_commands(commands: Commands) -> None:
    """Add these commands to the command line."""
    made = commands.add_parser("group", help="make a group, and say who is in it")
    actions = made.add_subparsers(metavar="ACTION", required=True)
    one = actions.add_parser("create", help="a group of these users; its name is encrypted")
    one.add_argument("title", metavar="TITLE")
    one.add_argument("names", metavar="NAME", nargs="*")
    one.set_defaults(command=create)
    for action, what in (("add", "let somebody in"), ("remove", "put somebody out")):
        one = actions.add_parser(action, help=what)
        one.add_argument("group", metavar="GROUP")
        one.add_argument("name", metavar="NAME")
        one.set_defaults(command=add if action == "add" else remove)
    one = actions.add_parser("role", help="make somebody admin, member, or owner in one's place")
    one.add_argument("group", metavar="GROUP")
    one.add_argument("name", metavar="NAME")
    one.add_argument("role", choices=("owner", "admin", "member"))
    one.set_defaults(command=role)
    one = actions.add_parser("confirm", help="vouch for a member's new identity, so that it reads again")
    one.add_argument("group", metavar="GROUP")
    one.add_argument("name", metavar="NAME")
    one.set_defaults(command=confirm)
    for action, what, does in (
        ("leave", "leave it", leave),
        ("members", "who is in it", members),
        ("info", "its roster, and who is not vouched for", info),
    ):
        one = actions.add_parser(action, help=what)
        one.add_argument("group", metavar="GROUP")
        one.set_defaults(command=does)
    one = actions.add_parser("rename", help="give it another name")
    one.add_argument("group", metavar="GROUP")
    one.add_argument("title", metavar="TITLE")
    one.set_defaults(command=rename)


async def create(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.create_group(chosen.title, chosen.names)
        output.result(fields(group), f"{clean(group.title)}  {group.id}")


async def add(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.conversation(chosen.group)
        await group.add(chosen.name)
        output.result({"added": chosen.name}, f"{clean(chosen.name)} is in {clean(group.title)} now.")


async def remove(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.conversation(chosen.group)
        await group.remove(chosen.name)
        output.result(
            {"removed": chosen.name}, f"{clean(chosen.name)} is not in {clean(group.title)} any more."
        )


async def role(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.conversation(chosen.group)
        await group.set_role(chosen.name, chosen.role)
        output.result(
            {"name": chosen.name, "role": chosen.role}, f"{clean(chosen.name)} is {chosen.role} now."
        )


async def leave(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.conversation(chosen.group)
        await group.leave()
        output.result({"left": group.id}, f"You have left {clean(group.title)}.")


async def members(chosen: argparse.Namespace, output: Output) -> None:
    async with refreshed(chosen, output) as client:
        group = await client.conversation(chosen.group)
        for member in await group.members():
            output.result(member, *_member(member))


def _member(member: Member) -> tuple[str, str]:
    """A member in a line, and its style."""
    marks = [
        words
        for words, there in (
            ("verified", member.verified and member.vouched),
            ("NOT VOUCHED FOR: gets nothing", not member.vouched),
            ("not at the server: gets nothing", not member.listed),
        )
        if there
    ]
    words = f"{clean(member.username):32}  {member.role:8}{'  ' + ', '.join(marks) if marks else ''}"
    return words.rstrip(), "" if member.vouched else "red"


async def info(chosen: argparse.Namespace, output: Output) -> None:
    async with refreshed(chosen, output) as client:
        group = await client.conversation(chosen.group)
        found = await group.info()
        if output.as_json:
            output.result(found, "")
            return
        output.words(f"{clean(found.title)}  {found.conversation_id}", "bold")
        if found.version is None:
            output.words("Its roster has not come yet: messages wait for its owner or an admin.", "yellow")
        elif found.version == 0:
            output.words("It is older than rosters: until its owner vouches, those known here are in it.")
        else:
            output.words(f"Roster {found.version}: {(found.digest or '')[:16]}, the same for all members.")
        for member in found.members:
            output.words(*_member(member))


async def confirm(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.conversation(chosen.group)
        await group.confirm(chosen.name)
        output.result(
            {"confirmed": chosen.name}, f"{clean(chosen.name)} reads in {clean(group.title)} again."
        )


async def rename(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.conversation(chosen.group)
        await group.rename(chosen.title)
        output.result({"title": chosen.title}, f"It is {clean(chosen.title)} now.")
