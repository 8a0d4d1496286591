"""Which of the other servers' Debian packages are here, and of which version."""

import subprocess

from benchmarks.report import Missing

PACKAGES = ("ejabberd", "erlang-p1-pgsql", "prosody", "lua-dbi-postgresql")


def versions() -> dict[str, str]:
    """The packages' versions; Missing, in one line that says how to get them, where one isn't installed."""
    try:
        said = subprocess.run(
            [
                "dpkg-query",
                "--show",
                "--showformat",
                r"${Package} ${db:Status-Status} ${Version}\n",
                *PACKAGES,
            ],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except FileNotFoundError:
        raise Missing("peers compares with Debian's ejabberd and prosody: run it on Debian") from None
    return installed(said)


def installed(said: str) -> dict[str, str]:
    """The versions in what `dpkg-query` has said, a line for each package: its name, status and version."""
    found = {}
    for line in said.splitlines():
        name, status, version = line.split(" ", 2)
        if status == "installed":
            found[name] = version
    missing = [name for name in PACKAGES if name not in found]
    if missing:
        raise Missing(
            f"not installed: {', '.join(missing)}; get them by: apt-get install {' '.join(PACKAGES)}"
        )
    return found
