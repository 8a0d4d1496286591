"""The command `messenger`: the client's command line, or one line that says how to install it.

The client's packages are an extra, which who runs only a server does not have. This stands outside of the
client, since nothing in there can be imported without them.
"""

import sys


def main() -> None:
    """The command line; status 1 and a line where its packages are not installed."""
    try:
        from messenger.client.cli.main import main as run
    except ModuleNotFoundError as missing:
        if (missing.name or "messenger").partition(".")[0] == "messenger":
            raise
        sys.exit(f"messenger: {missing.name} is not installed; the client needs: pip install '.[client]'")
    run()
