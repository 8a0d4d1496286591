"""Turns itself into an engine that dies with its parent and leaves a trace of itself.

Run as a script by path (`python -I -S launch.py SPEC`), never imported by the server: it knows nothing but
the standard library, so that it starts in some ten milliseconds, and it is gone, memory and all, once it has
become the engine. The process id stays the same, so the server watches the engine itself.

SPEC is a JSON object without secrets, for everyone may read a command line:

    argv       the engine's command line; argv[0] is the program's absolute path
    cwd        the engine's directory
    pid_file   where to write which process this is, see `identify`
    parent     process id of the server
    death      number of the signal that the kernel sends the engine when the server ends, however it ends
    uid, gid   whom to become; absent when the server itself is no superuser
    nice       by how much to lower the engine's priority

What comes on standard input, up to its end, is handed to the engine as *its* standard input, in memory that
no other user can open: that is how passwords get to it.

The order of the steps matters. The directory is entered, and the program opened, before the privileges are
dropped: so neither need be in a place which the engine's user can reach, and `/root` is as good as `/srv`.
The signal at the parent's death is asked for after they are dropped, because the kernel forgets it when the
user changes.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1  # prctl(2)


def identify(pid: int) -> dict[str, Any] | None:
    """A mark that tells this process from every other one, past and future; None if there is none by that
    number.

    A number alone doesn't: it is given again. The time of its start, in clock ticks since the machine's, does
    (proc_pid_stat(5), field 22); the boot's id covers a restart of the machine.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            boot_id = boot.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":  # dead, only not yet collected by its parent
        return None
    return {"pid": pid, "started": int(fields[19]), "boot": boot_id}


def write_pid_file(path: str) -> None:
    """Say which process this is. The file is whole or absent, whenever the machine stops."""
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="ascii") as file:
        json.dump(identify(os.getpid()), file)
    os.replace(draft, path)


def drop_privileges(uid: int, gid: int) -> None:
    """Become `uid` for good, without any of the superuser's groups."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def hand_over_input(content: bytes) -> None:
    """Make `content` this process's standard input, as a file that may be read again from its start."""
    memory = os.memfd_create("input", os.MFD_CLOEXEC)
    with open(memory, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(memory, 0, os.SEEK_SET)
    os.dup2(memory, 0, inheritable=True)
    os.close(memory)


def die_with_parent(parent: int, number: int) -> None:
    """Have the kernel send this process signal `number` when its parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before the kernel knew what to do
        sys.exit("the server has ended")


def main(spec: dict[str, Any]) -> None:
    os.setsid()  # Ctrl-C at the terminal is for the server, which stops its engines in its own time
    os.umask(0o077)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by Python, and that would be inherited
        signal.signal(number, signal.SIG_DFL)
    write_pid_file(spec["pid_file"])
    os.nice(spec["nice"])
    os.chdir(spec["cwd"])
    content = sys.stdin.buffer.read()
    argv = spec["argv"]
    program = os.open(argv[0], os.O_RDONLY | os.O_CLOEXEC)
    if "uid" in spec:
        drop_privileges(spec["uid"], spec["gid"])
    hand_over_input(content)
    die_with_parent(spec["parent"], spec["death"])
    # By name where that works, so that `ps` shows the program's name; the descriptor needs no way there.
    target = argv[0] if os.access(argv[0], os.X_OK) else program
    os.execve(target, argv, os.environ)  # noqa: S606 -- that is what this script is for


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except OSError as error:
        sys.exit(f"can't run {sys.argv[1]}: {error}")
