"""docker-compose.yml, the Dockerfile and make-secrets.sh: valid, and true to the code."""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from messenger import __version__
from messenger.core.settings import Settings
from tests.deploy import compose, facts
from tests.deploy.facts import ARROWS, ENGINES, ROOT, SERVICES

BIN = Path(sys.executable).parent
FILE = yaml.safe_load(compose.FILE.read_text())
FOUND = compose.services()
OURS = {name: FOUND[name] for name in compose.APPLICATION}


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_it_is_valid_by_the_compose_specification() -> None:
    files = [compose.FILE, ROOT / "deploy/compose/tls.yml"]
    done = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files)
    assert done.returncode == 0, done.stdout


def test_hadolint_finds_nothing() -> None:
    done = run(BIN / "hadolint", ROOT / "deploy/Dockerfile")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


@pytest.mark.parametrize("name", compose.APPLICATION)
def test_each_process_is_one_that_the_code_has(name: str) -> None:
    facts.check(compose.process(name, OURS[name]))


def test_the_administrator_s_command() -> None:
    admin = FOUND["admin"]
    assert admin["entrypoint"] == ["messenger-admin"]
    named = facts.Process("admin", [], admin["environment"], {})
    named.files = {f"/run/secrets/{secret}": ROOT / "absent" for secret in admin["secrets"]}
    assert facts.secrets_of(named) == facts.SECRETS["auth"] - {"auth.pepper"}


def test_the_gateway_and_the_services_agree_on_ports_and_networks() -> None:
    settings = {name: facts.settings_of(compose.process(name, OURS[name])) for name in ("gateway", *SERVICES)}
    for name in SERVICES:
        port = facts.ports_of(name, settings[name])["listen"]
        assert getattr(settings["gateway"].gateway, name) == [f"{name}:{port}"]
    (network,) = FILE["networks"]["services"]["ipam"]["config"]
    for name in SERVICES:
        assert getattr(settings[name], name).trusted_proxies == [network["subnet"]]
    (edge,) = FILE["networks"]["edge"]["ipam"]["config"]
    assert ipaddress.ip_address(edge["gateway"]) in ipaddress.ip_network(edge["subnet"])
    assert edge["gateway"] in (ROOT / "deploy/compose/env").read_text()


def test_each_meets_just_those_that_the_picture_shows() -> None:
    """Two containers can speak when they share a network."""

    def meets(one: str, other: str) -> bool:
        return bool(set(FOUND[one]["networks"]) & set(FOUND[other]["networks"]))

    for name in compose.APPLICATION:
        for engine in ENGINES:
            assert meets(name, engine) == ((name, engine) in ARROWS), (name, engine)
    for name in SERVICES:
        assert meets("gateway", name)
        assert set(FOUND[name]["networks"]) & set(FOUND["migrate"]["networks"]) <= {"database"}
    outside = {name for name, network in FILE["networks"].items() if not (network or {}).get("internal")}
    assert {name for name in FOUND if set(FOUND[name]["networks"]) & outside} == {"gateway", "file", "minio"}


def test_settings_lead_to_services_of_the_file() -> None:
    for name, service in OURS.items():
        process = compose.process(name, service)
        for host, port in facts.destinations(name, facts.settings_of(process), process.environment):
            assert (name, host) in ARROWS, (name, host)
            if host in ENGINES:
                assert port == ENGINES[host]


def test_only_the_gateway_is_published_and_only_to_this_machine() -> None:
    assert {name for name, service in FOUND.items() if "ports" in service} == {"gateway"}
    assert FOUND["gateway"]["ports"] == ["127.0.0.1:8080:8080"]


def test_nobody_starts_before_what_it_needs() -> None:
    for name in SERVICES:
        needs = FOUND[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        wanted = {engine for one, engine in ARROWS if one == name}
        assert {other for other, how in needs.items() if how["condition"] == "service_healthy"} == wanted
    assert FOUND["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert set(FOUND["gateway"]["depends_on"]) == {*SERVICES, "redis"}
    for name, service in FOUND.items():
        for other in service.get("depends_on", {}):
            assert "healthcheck" in FOUND[other], other
        assert service["restart"] == ("no" if name in ("migrate", "admin") else "unless-stopped")
    # Without MinIO, which is on by its profile only, files start all the same.
    assert FOUND["file"]["depends_on"]["minio"]["required"] is False
    assert FOUND["minio"]["profiles"] == [compose.dotenv(ROOT / "deploy/compose/env")["COMPOSE_PROFILES"]]


@pytest.mark.parametrize("name", sorted(FOUND))
def test_each_container_is_closed_in(name: str) -> None:
    service = FOUND[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"]["max-size"]
    assert "privileged" not in service
    if name in (*OURS, "admin"):
        assert service["user"] == "10001:10001"
        assert "cap_add" not in service


def test_images_are_pinned() -> None:
    for name, service in FOUND.items():
        assert re.search(r":(RELEASE\.\d+-\d+-|\d+\.)\d+", service["image"]), name
    assert FOUND["gateway"]["image"] == f"secure-messenger:{__version__}"
    bases = re.findall(r"^FROM (\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.search(r":3\.\d+\.\d+-slim", bases[0])


def test_secrets_are_files_that_the_script_makes(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    script = tmp_path / "deploy/make-secrets.sh"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/pepper").write_text("mine")
    done = run(script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(FILE["secrets"])
    assert all(FILE["secrets"][name]["file"] == f"./secrets/{name}" for name in made)
    assert made["pepper"].read_text() == "mine"
    texts = {name: path.read_text() for name, path in made.items() if name != "pepper"}
    assert len(set(texts.values())) == len(texts)
    for name, text in texts.items():
        assert re.fullmatch(r"m[0-9a-f]{19}|m[0-9a-f]{63}", text), name
        assert made[name].stat().st_mode & 0o777 == 0o600
    assert len(texts["s3_access_key"]) == 20
    values = compose.dotenv(tmp_path / ".env")
    assert int(values["MESSENGER_UID"]) == made["nats_password"].stat().st_uid != 0
    assert values.keys() == compose.dotenv(ROOT / "deploy/compose/env").keys()

    (tmp_path / ".env").write_text("MESSENGER_UID=7\n")
    again = run(script, cwd=tmp_path)
    assert "made" not in again.stdout
    assert {name: path.read_text() for name, path in made.items() if name != "pepper"} == texts
    assert (tmp_path / ".env").read_text() == "MESSENGER_UID=7\n"

    run(script, "elsewhere", cwd=tmp_path)
    assert (tmp_path / "elsewhere/nats_password").stat().st_uid == os.getuid()


def test_every_variable_has_a_default_or_says_what_to_do() -> None:
    text = compose.FILE.read_text() + (ROOT / "deploy/compose/tls.yml").read_text()
    known = {*compose.dotenv(ROOT / "deploy/compose/env"), "MESSENGER_IMAGE", "MESSENGER_TLS"}
    for name, rest in re.findall(r"(?<!\$)\$\{([A-Z_0-9]+)([^}]*)\}", text):
        assert rest.startswith((":-", ":?")), name
        assert name in known, name


def test_another_s3_is_one_line() -> None:
    variables = compose.dotenv(ROOT / "deploy/compose/env")
    variables["MESSENGER_S3"] = "https://s3.example.org"
    file = compose.services(variables=variables)["file"]
    assert facts.settings_of(compose.process("file", file)).s3.endpoint == "https://s3.example.org"


def test_tls_is_one_file_more() -> None:
    more = compose.services(ROOT / "deploy/compose/tls.yml", {"MESSENGER_TLS": "/tls"})["gateway"]
    settings = facts.settings_of(facts.Process("gateway", [], more["environment"], {}))
    plain, tls = settings.gateway.listen
    assert plain == "tcp:8080"
    fields = dict(part.split("=") for part in tls.split(":")[2:])
    (mount,) = more["volumes"]
    assert {Path(path).parent for path in fields.values()} == {Path(mount["target"])}
    assert more["ports"] == [f"443:{facts.port_of(tls)}"]


def test_all_that_is_mounted_or_copied_is_there() -> None:
    for service in FOUND.values():
        for volume in service.get("volumes", ()):
            if isinstance(volume, dict):
                assert (ROOT / volume["source"]).is_file(), volume
            else:
                assert volume.split(":")[0] in FILE["volumes"]
    lines = (ROOT / "deploy/Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", lines, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source


def test_the_image_s_own_command_and_check() -> None:
    text = (ROOT / "deploy/Dockerfile").read_text()
    (user,) = re.findall(r"^USER (.+)$", text, re.MULTILINE)
    assert user == "10001:10001"
    command, check = (
        re.findall(r'"([^"]+)"', line) for line in re.findall(r"CMD (\[.+\])$", text, re.MULTILINE)[::-1]
    )
    facts.check_command("gateway", command)
    assert check[0] == "messenger-health"
    port, path = facts.probe(check[1])
    assert port in facts.ports_of("gateway", Settings()).values()
    assert path in facts.probe_paths("gateway")


@pytest.mark.parametrize(
    ("file", "section", "key"),
    [
        ("requirements.txt", "options", "install_requires"),
        ("requirements-embedded.txt", "options.extras_require", "embedded"),
    ],
)
def test_the_locks_have_what_the_metadata_asks_for(file: str, section: str, key: str) -> None:
    text = (ROOT / "deploy" / file).read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE))
    metadata = facts.configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    for line in metadata[section][key].split():
        wanted = Requirement(line)
        assert wanted.name.lower() in locked, f"{wanted.name} is not locked: run `make lock`"
        assert wanted.specifier.contains(locked[wanted.name.lower()]), f"{wanted}: run `make lock`"
    blocks = re.split(r"\n(?=[a-z])", text)
    assert all("--hash=sha256:" in block for block in blocks if not block.startswith("#"))
