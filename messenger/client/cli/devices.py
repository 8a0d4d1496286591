"""devices: the account's devices; a new one is approved by an old one."""

import argparse
import asyncio
from typing import TypeAlias

from messenger.client.cli import secret
from messenger.client.cli.opening import connected, opened
from messenger.client.cli.output import Output, clean, clock
from messenger.client.cli.qr import qr_code
from messenger.client.client import Client
from messenger.client.errors import WrongCode
from messenger.client.records import Device

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_commands(commands: Commands) -> None:
    """Add these commands to the command line."""
    made = commands.add_parser("devices", help="list this account's devices; remove or approve one")
    made.set_defaults(command=list_devices)
    actions = made.add_subparsers(metavar="ACTION")
    one = actions.add_parser("list", help="the devices (the default)")
    one.set_defaults(command=list_devices)
    one = actions.add_parser("remove", help="end a device: its session, its keys")
    one.add_argument("id", metavar="ID", help="or the beginning of it")
    one.add_argument("--lost", action="store_true", help="it is in other hands: make a new account key too")
    one.set_defaults(command=remove)
    one = actions.add_parser("approve", help="let a new device in that shows this code")
    one.add_argument("code", metavar="CODE", nargs="+", help="what the new device shows")
    one.add_argument("--yes", action="store_true", help="do not ask: for scripts")
    one.set_defaults(command=approve)
    one = actions.add_parser("renew", help="a new account key: after a device was lost or stolen")
    one.set_defaults(command=renew)
    one = actions.add_parser("code", help="show this device's code, to be approved by an older one")
    one.set_defaults(command=code)


async def list_devices(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        for device in await client.devices():
            marks = [name for name, there in (("this one", device.current),) if there]
            marks += [] if device.approved else ["not approved: messenger devices approve CODE"]
            words = (
                f"{device.device_id}  {clean(device.name or '-'):20}  seen {clock(device.last_seen_at)}"
                f"{'  (' + ', '.join(marks) + ')' if marks else ''}"
            )
            output.result(device, words, "" if device.approved else "yellow")


async def remove(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        await client.remove_device(chosen.id)
        if chosen.lost:
            await renew_account(client, chosen, output)
            item = {"removed": chosen.id, "account_key": "new"}
            output.result(item, "Removed, and your account has a new key.")
            return
        output.result(
            {"removed": chosen.id, "account_key": "kept"},
            "Removed: it reads nothing new. Was it lost or stolen? Then it still holds your account's\n"
            "key, and could sign in your name with a server that lies: say `messenger devices renew`.",
        )


async def renew(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        await renew_account(client, chosen, output)
        output.result({"account_key": "new"}, "Your account has a new key.")


async def renew_account(client: Client, chosen: argparse.Namespace, output: Output) -> None:
    """Make a new account key, after saying what that means."""
    output.say(
        "A new account key: everybody you talk to is warned that your identity has changed, and has to\n"
        "compare safety numbers anew. In each group an owner or admin has to confirm you; one that has no\n"
        "other of them has to be made anew. Your other devices have to be approved again.",
        "yellow",
    )
    await client.reset_identity(secret.password(chosen), secret.code)


async def approve(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        ask = secret.question_asker()

        async def confirm(device: Device) -> bool:
            if chosen.yes:
                return True
            name = clean(device.name or "a device without a name")
            question = (
                f"{name}, logged in {clock(device.created_at)}, will read what you are sent from now on,\n"
                "and can approve and remove devices. Is it yours, and in front of you? [y/N] "
            )
            return await asyncio.to_thread(ask, question)

        device = await client.approve_device(" ".join(chosen.code), confirm)
        output.result(device, f"Approved: {clean(device.name or device.device_id)}.")


async def code(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        client.start()
        try:
            text = await client.device_code()
        except WrongCode as error:
            output.result({"code": None}, str(error))
            return
        output.result(
            {"code": text}, f"{qr_code(text)}\n{text}\nGood for ten minutes." if output.people else text
        )
