"""devices: the account's devices; a new one is approved by an old one."""

import argparse
from typing import TypeAlias

from messenger.client.cli.opening import connected, opened
from messenger.client.cli.output import Output, clean, clock

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
    one.set_defaults(command=remove)
    one = actions.add_parser("approve", help="vouch for a new device whose code was compared")
    one.add_argument("code", metavar="CODE", nargs="+", help="what the new device shows")
    one.set_defaults(command=approve)
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
        output.result({"removed": chosen.id}, "Removed.")


async def approve(chosen: argparse.Namespace, output: Output) -> None:
    async with connected(chosen, output) as client:
        device = await client.approve_device(" ".join(chosen.code))
        output.result(device, f"Approved: {clean(device.name or device.device_id)}.")


async def code(chosen: argparse.Namespace, output: Output) -> None:
    async with opened(chosen) as client:
        if client.approved:
            output.result({"code": None}, "This device is approved already.")
            return
        client.start()
        text = await client.device_code()
        output.result({"code": text}, text)
