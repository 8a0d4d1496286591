"""Runs `messenger`: opens the profile, does what was asked, and ends with a status that means something.

0    done
1    it can't be done: the server or the profile said no, in one line on standard error
2    a wrong command line
3    no profile here, or its passphrase is wrong: register, log in, or say the right one
4    the server can't be reached
5    not safe: an identity has changed or does not hold, or the password is asked for; nothing was sent
130  interrupted
"""

import asyncio
import sys
from collections.abc import Sequence

from messenger.client import ClientError
from messenger.client.cli.output import Output
from messenger.client.cli.parser import parser
from messenger.client.errors import (
    ContactConflict,
    FileDamaged,
    IdentityRefused,
    KdfRefused,
    NoProfile,
    SendingFailed,
    ServerUnreachable,
    SessionExpired,
    WrongPassphrase,
    WrongSafetyNumber,
)

DONE, FAILED, USAGE, NO_PROFILE, UNREACHABLE, UNSAFE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    chosen = parser().parse_args(arguments)
    output = Output(chosen.json)
    try:
        status = asyncio.run(chosen.command(chosen, output)) or DONE
    except ClientError as error:
        output.say(f"messenger: {error}", "red")
        status = status_of(error)
    except BrokenPipeError:
        status = FAILED
    except OSError as error:
        output.say(
            f"messenger: {error.filename or ''}: {error.strerror or error}".replace(": : ", ": "), "red"
        )
        status = FAILED
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def status_of(error: ClientError) -> int:
    """The exit status that says what kind of thing went wrong."""
    match error:
        case NoProfile() | WrongPassphrase() | SessionExpired():
            return NO_PROFILE
        case ServerUnreachable():
            return UNREACHABLE
        case IdentityRefused() | FileDamaged() | ContactConflict() | WrongSafetyNumber() | KdfRefused():
            return UNSAFE
        case SendingFailed(code="account_key_changed" | "contact_refused"):
            return UNSAFE
        case _:
            return FAILED


if __name__ == "__main__":
    main()
