"""group create|add|remove|leave|members|rename|role."""

import argparse
from typing import TypeAlias

from messenger.client.cli.opening import connected, refreshed
from messenger.client.cli.output import Output, clean, fields

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
    for action, what in (("leave", "leave it"), ("members", "who is in it")):
        one = actions.add_parser(action, help=what)
        one.add_argument("group", metavar="GROUP")
        one.set_defaults(command=leave if action == "leave" else members)
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
            mark = "  verified" if member.verified else ""
            output.result(member, f"{clean(member.username):32}  {member.role}{mark}")


async def rename(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        group = await client.conversation(chosen.group)
        await group.rename(chosen.title)
        output.result({"title": chosen.title}, f"It is {clean(chosen.title)} now.")
