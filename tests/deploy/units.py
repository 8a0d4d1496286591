"""The units in deploy/systemd as data: with the drop-ins that apply to them, and %i and %d filled in."""

from collections import defaultdict
from pathlib import Path

from tests.deploy.facts import ROOT, Process, is_file, port_of

FOLDER = ROOT / "deploy/systemd"
INSTANCES = {"gateway": "8090", "message": "8082"}
CREDENTIALS = "/run/credentials/unit"

Unit = dict[str, dict[str, list[str]]]


def read(*files: Path) -> Unit:
    """Sections, keys and all values of each key, in order."""
    found: Unit = defaultdict(lambda: defaultdict(list))
    for file in files:
        section = ""
        for line in file.read_text().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and line[0] not in "#;":
                key, _, value = line.partition("=")
                found[section][key].append(value)
    return found


def unit_of(name: str) -> Path:
    """The file of the unit of a service."""
    return FOLDER / (f"messenger-{name}@.service" if name in INSTANCES else f"messenger-{name}.service")


def service(name: str) -> Unit:
    """The unit of a service, with the drop-ins for all of them below it."""
    return read(*sorted((FOLDER / "messenger-.service.d").glob("*.conf")), unit_of(name))


def process(name: str, credentials: str = CREDENTIALS) -> Process:
    """A unit as a process."""
    found = service(name)["Service"]
    environment = {}
    for line in found["Environment"]:
        for pair in line.split():
            variable, _, value = pair.partition("=")
            value = value.replace("%i", INSTANCES.get(name, "")).replace("%d", credentials)
            if variable.startswith("MESSENGER_"):
                environment[variable] = value
    files = {"/etc/messenger/messenger.toml": FOLDER / "messenger.toml"}
    for line in found["LoadCredential"]:
        credential, _, source = line.partition(":")
        assert source == f"/etc/messenger/secrets/{credential}"
        files[f"{credentials}/{credential}"] = ROOT / "secrets" / credential
    (command,) = found["ExecStart"]
    stop = found["TimeoutStopSec"][-1]
    listens = [value for variable, value in environment.items() if variable.endswith("LISTEN")]
    probes = [(port, "/health") for port in map(port_of, listens) if port is not None]
    if not probes and name != "migrate":
        probes = [({"auth": 8081, "file": 8083, "key": 8084}[name], "/health")]
    return Process(name, command.split(), environment, files, probes, float(stop.removesuffix("s")))


def secrets(found: Process) -> set[str]:
    """The names of the credentials that it gets."""
    return {Path(value).name for variable, value in found.environment.items() if is_file(variable)}
