"""verify, contact link|add|list: whom to believe."""

import argparse
from typing import TypeAlias

from messenger.client import Client, NoIdentity, SafetyNumber
from messenger.client.cli.opening import connected, opened
from messenger.client.cli.output import Output, clean
from messenger.client.cli.qr import qr_code

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_commands(commands: Commands) -> None:
    """Add these commands to the command line."""
    made = commands.add_parser("verify", help="compare safety numbers with somebody, and mark it")
    made.add_argument("name", metavar="NAME")
    made.add_argument(
        "digits", metavar="DIGITS", nargs="*", help="what the other side sees: mark if the same"
    )
    how = made.add_mutually_exclusive_group()
    how.add_argument("--no", action="store_true", help="take the mark away")
    how.add_argument(
        "--accept", action="store_true", help="go on, unverified, with an identity that has changed"
    )
    made.set_defaults(command=verify)
    made = commands.add_parser("contact", help="your own link, or somebody else's: verified at once")
    actions = made.add_subparsers(metavar="ACTION", required=True)
    one = actions.add_parser("link", help="show your link and its QR code, to be handed over")
    one.add_argument("--no-qr", action="store_true", help="the link only")
    one.set_defaults(command=link)
    one = actions.add_parser("add", help="take whom a link names as a verified contact")
    one.add_argument("link", metavar="LINK")
    one.set_defaults(command=add)
    one = actions.add_parser("list", help="the users that were met, and what is known of their identity")
    one.set_defaults(command=list_contacts)


async def verify(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        if chosen.accept:
            await client.accept_identity(chosen.name)
        elif chosen.no:
            await client.set_verified(chosen.name, None)
        elif chosen.digits:
            await client.set_verified(chosen.name, " ".join(chosen.digits))
        _show(await _number(client, chosen.name), output)


async def _number(client: Client, name: str) -> SafetyNumber:
    try:
        return await client.safety_number(name)
    except NoIdentity:
        await client.direct(name)  # asks for the keys
        return await client.safety_number(name)


def _show(number: SafetyNumber, output: Output) -> None:
    groups = number.digits.split()
    lines = [" ".join(groups[start : start + 4]) for start in range(0, len(groups), 4)]
    name = clean(number.username)
    then = (
        "You have verified it."
        if number.verified
        else f"Compare with what {name} sees, by voice or side by side. Type what {name} reads out:\n"
        f"  messenger verify {name} DIGITS"
    )
    if number.changed:
        then = (
            f"The identity of {name} HAS CHANGED since you verified it. Nothing is sent there.\n{then}\n"
            f"To go on without comparing: messenger verify {name} --accept"
        )
    output.result(number, f"Safety number with {name}:\n  " + "\n  ".join(lines) + f"\n{then}")


async def link(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        text = await client.contact_link()
        shown = text if chosen.no_qr or not output.people else f"{qr_code(text)}\n{text}"
        output.result({"link": text}, shown)


async def add(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        person = await client.add_contact(chosen.link)
        output.result(person, f"{clean(person.username)} is a verified contact now.")


async def list_contacts(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        for contact in await client.contacts():
            mark = "verified" if contact.verified else "not verified"
            if contact.changed:
                mark = "IDENTITY CHANGED: messenger verify " + clean(contact.username)
            output.result(contact, f"{clean(contact.username):32}  {mark}", "red" if contact.changed else "")
