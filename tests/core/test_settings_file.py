"""`etc/messenger.toml` and the settings themselves say the same: a setting must not go undocumented."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messenger.core.config import load
from messenger.core.settings import Settings
from messenger.standalone.engines.credentials import EngineSecrets
from messenger.standalone.engines.engines import EngineAddresses
from messenger.standalone.service import embedded_settings

FILE = Path(__file__).parents[2] / "etc" / "messenger.toml"
TEXT = FILE.read_text("utf-8")
DEFAULTS: dict[str, dict[str, Any]] = msgspec.to_builtins(Settings())
# A key that is commented out, unlike a sentence: `# name = value`.
COMMENTED = re.compile(r"^# ([a-z0-9_]+ = .*)$", re.MULTILINE)
SECRET = re.compile(r"password|secret|pepper|access_key$|^user$")

ACTIVE = tomllib.loads(TEXT)
ALL = tomllib.loads(COMMENTED.sub(r"\1", TEXT))


def test_every_section_and_no_other() -> None:
    assert list(ALL) == list(DEFAULTS)


@pytest.mark.parametrize("section", DEFAULTS)
def test_every_setting_with_its_default_and_no_other(section: str) -> None:
    assert ALL[section] == DEFAULTS[section]
    types = {name: type(value) for name, value in DEFAULTS[section].items()}
    assert {name: type(value) for name, value in ALL[section].items()} == types


def test_the_file_as_it_is_changes_nothing() -> None:
    assert load(str(FILE), {}) == Settings()


@pytest.mark.parametrize("section", DEFAULTS)
def test_every_section_says_what_it_is_for(section: str) -> None:
    assert re.search(rf"^# [^\n]+\n\[{section}\]$", TEXT, re.MULTILINE)


def test_secrets_are_commented_out() -> None:
    for section, settings in DEFAULTS.items():
        for name in settings:
            if SECRET.search(name) and section != "limits":
                assert name not in ACTIVE.get(section, {}), f"[{section}] {name}"


def test_the_file_leaves_the_embedded_engines_alone() -> None:
    """`twist messenger --config etc/messenger.toml` must still find its own engines."""
    addresses = EngineAddresses(
        postgres_host="127.0.0.9",
        postgres_port=7001,
        postgres_database="d",
        postgres_superuser="s",
        nats_url="nats://u:p@127.0.0.9:7002",
        redis_url="redis://:p@127.0.0.9:7003",
        s3_endpoint="http://127.0.0.9:7004",
        s3_region="here",
        s3_access_key="a",
        s3_secret_key="b",
    )
    secrets = EngineSecrets(
        postgres_password="1",
        database_passwords={"auth": "2", "key": "3", "message": "4", "file": "5"},
        nats_user="6",
        nats_password="7",
        valkey_password="8",
        s3_access_key="9",
        s3_secret_key="10",
        seaweedfs_key="11",
        token_secret="t" * 32,
        vapid_key="v" * 32,
    )
    over = embedded_settings(addresses, secrets)
    assert load(str(FILE), {}, over) == load(None, {}, over)
