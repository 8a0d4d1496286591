"""The configuration: one file, the environment on top, and each mistake named in one line with status 78."""

from pathlib import Path

import pytest

from messenger.core.config import load, require
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.settings import Settings


@pytest.fixture
def toml(tmp_path: Path) -> "File":
    return File(tmp_path / "messenger.toml")


class File:
    """A configuration file that a test fills."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, text: str | bytes, environ: dict[str, str] | None = None) -> Settings:
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(str(self.path), environ or {})


def wrong(caught: pytest.ExceptionInfo[StartError]) -> str:
    """What the administrator reads: always one line."""
    message = str(caught.value)
    assert caught.value.status == EX_CONFIG == 78
    assert message == message.strip()
    assert len(message.splitlines()) == 1
    return message


# where values come from


def test_nothing_given_is_all_defaults() -> None:
    assert load(None, {}) == Settings()
    assert load(None, {"MESSENGER_CONFIG": ""}) == Settings()


def test_the_file(toml: File) -> None:
    found = toml.load(
        '[gateway]\nlisten = "tcp:9"\nauth = ["a:1", "b:2"]\n[nats]\nwait = 3\n[database]\nport = 1'
    )
    assert found.gateway.listen == "tcp:9"
    assert found.gateway.auth == ["a:1", "b:2"]
    assert (found.nats.wait, type(found.nats.wait)) == (3.0, float)
    assert found.database.port == 1
    assert found.gateway.message == Settings().gateway.message  # what is left out keeps its default


def test_the_file_may_be_named_by_the_environment(toml: File) -> None:
    toml.path.write_text("[database]\nport = 7\n")
    assert load(None, {"MESSENGER_CONFIG": str(toml.path)}).database.port == 7


def test_the_command_line_names_the_file_before_the_environment_does(toml: File, tmp_path: Path) -> None:
    assert (
        toml.load("[database]\nport = 7\n", {"MESSENGER_CONFIG": str(tmp_path / "none")}).database.port == 7
    )


def test_the_environment_stands_above_the_file(toml: File) -> None:
    found = toml.load(
        '[database]\nport = 7\nname = "kept"\n',
        {"MESSENGER_DATABASE__PORT": "8", "MESSENGER_NATS__WAIT": "0.5"},
    )
    assert (found.database.port, found.database.name, found.nats.wait) == (8, "kept", 0.5)


def test_what_stands_below_the_file(toml: File) -> None:
    toml.path.write_text("[database]\nport = 7\n")
    over = {"database": {"port": 1, "name": "below", "host": "below"}}
    found = load(str(toml.path), {"MESSENGER_DATABASE__HOST": "above"}, over).database
    assert (found.port, found.name, found.host) == (7, "below", "above")
    assert over == {"database": {"port": 1, "name": "below", "host": "below"}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a:1", ["a:1"]),
        ("a:1,b:2", ["a:1", "b:2"]),
        (" a:1 , b:2 ,", ["a:1", "b:2"]),
        ("", []),
        (" , ", []),
        ("[::1]:8082", ["[::1]:8082"]),
    ],
)
def test_lists_in_the_environment(text: str, found: list[str]) -> None:
    assert load(None, {"MESSENGER_GATEWAY__MESSAGE": text}).gateway.message == found


@pytest.mark.parametrize(
    "text", ['["nats://a:1", "nats://b:2"]', '"nats://a:1, nats://b:2"', '["nats://a:1,nats://b:2"]']
)
def test_the_servers_of_nats_are_a_list_or_a_text_with_commas(toml: File, text: str) -> None:
    found = ["nats://a:1", "nats://b:2"]
    assert toml.load(f"[nats]\nurl = {text}").nats.urls == found
    assert load(None, {"MESSENGER_NATS__URL": "nats://a:1, nats://b:2"}).nats.urls == found
    assert load(None, {"MESSENGER_NATS__URL": "nats://a:1"}).nats.urls == ["nats://a:1"]
    assert load(None, {}).nats.urls == ["nats://127.0.0.1:4222"]


def test_text_in_the_environment_is_taken_as_it_is() -> None:
    """No value is special: a password may look like a number, a list or nothing."""
    for text in ("123", "null", "true", "a,b", " spaced ", "é\u20ac", "", '"quoted"'):
        assert load(None, {"MESSENGER_NATS__PASSWORD": text}).nats.password == text


# secrets from files


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2\n\n", "hunter2\n"),
        (b" hunter2 \n", " hunter2 "),
        ("pässword\n".encode(), "pässword"),
        (b"", ""),
    ],
)
def test_a_secret_from_a_file(tmp_path: Path, content: bytes, value: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert load(None, {"MESSENGER_NATS__PASSWORD__FILE": str(file)}).nats.password == value


def test_any_setting_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_text("15\n")
    assert load(None, {"MESSENGER_DATABASE__PORT__FILE": str(file)}).database.port == 15
    file.write_text("a:1,b:2\n")
    assert load(None, {"MESSENGER_GATEWAY__KEY__FILE": str(file)}).gateway.key == ["a:1", "b:2"]


def test_a_file_without_end_is_not_read_whole() -> None:
    with pytest.raises(StartError) as caught:
        load(None, {"MESSENGER_NATS__PASSWORD__FILE": "/dev/zero"})
    assert "MESSENGER_NATS__PASSWORD__FILE" in wrong(caught)


def test_a_value_and_its_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("b")
    with pytest.raises(StartError) as caught:
        load(None, {"MESSENGER_NATS__PASSWORD": "a", "MESSENGER_NATS__PASSWORD__FILE": str(file)})
    assert "MESSENGER_NATS__PASSWORD__FILE" in wrong(caught)


def test_a_missing_secret_says_how_to_give_it() -> None:
    assert require("x", "auth", "database_password") == "x"
    with pytest.raises(StartError) as caught:
        require("", "auth", "database_password")
    message = wrong(caught)
    assert "[auth] database_password" in message
    assert "MESSENGER_AUTH__DATABASE_PASSWORD__FILE" in message


# mistakes in the file


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[gatway]\nlisten = 'tcp:1'", ["`gatway`"]),
        ("[gateway]\nlisen = 'tcp:1'", ["[gateway]", "`lisen`"]),
        ("listen = 'tcp:1'", ["`listen`", "outside any section"]),
        ("[[gateway]]\nlisten = 'tcp:1'", ["`gateway`"]),
        ("[gateway.more]\nx = 1", ["[gateway]", "`more`"]),
        ('[gateway]\n"a\\nb" = 1', ["[gateway]"]),
        ("[gateway]\nlisten = 5", ["[gateway] listen", "`str | array`", "`int`"]),
        ("[gateway]\nlisten = ''", ["[gateway] listen", "length >= 1"]),
        ("[gateway]\nlisten = []", ["[gateway] listen", "length >= 1"]),
        ("[gateway]\nlisten = [5]", ["[gateway] listen[0]", "`str`"]),
        ("[gateway]\nauth = 'a:1'", ["[gateway] auth", "`array`"]),
        ("[gateway]\nauth = ['a:1', 5]", ["[gateway] auth[1]", "`str`"]),
        ("[gateway]\nconnections = 1.5", ["[gateway] connections", "`int`"]),
        ("[gateway]\nconnections = 0", ["[gateway] connections", ">= 1"]),
        ("[database]\nport = 65536", ["[database] port", "<= 65535"]),
        ("[database]\nport = 0", ["[database] port", ">= 1"]),
        ("[database]\nport = '5432'", ["[database] port", "`int`", "`str`"]),
        ("[database]\nport = true", ["[database] port", "`bool`"]),
        ("[database]\nsslmode = 'allow'", ["[database] sslmode", "verify-full"]),
        ("[database]\nhost = 2026-01-01", ["[database] host", "`date`"]),
        ("[nats]\nwait = 0", ["[nats] wait", "> 0"]),
        ("[nats]\nwait = nan", ["[nats] wait"]),
        ("[nats]\nwait = inf", ["[nats] wait"]),
        ("[nats]\nreplicas = 6", ["[nats] replicas", "<= 5"]),
        ("[log]\nlevel = 'loud'", ["[log] level", "debug"]),
        ("[s3]\nbucket = 'Upper'", ["[s3] bucket"]),
        ("[auth]\nregistration = 'sometimes'", ["[auth] registration", "invite"]),
        ("[auth]\nbcrypt_cost = 17", ["[auth] bcrypt_cost", "<= 16"]),
        ("[limits]\nsend = '50'", ["[limits] send", "/[smhd]"]),
        ("[limits]\nsend = '0/s'", ["[limits] send"]),
        ("[limits]\nsend = '1/s\\n'", ["[limits] send"]),
        ("[limits]\nsend = 50", ["[limits] send", "`str`"]),
    ],
)
def test_a_mistake_in_the_file_is_named(toml: File, text: str, named: list[str]) -> None:
    with pytest.raises(StartError) as caught:
        toml.load(text)
    message = wrong(caught)
    assert str(toml.path) in message
    for part in named:
        assert part in message


@pytest.mark.parametrize("text", [b"[gateway", b"x", b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 50_000])
def test_a_file_that_is_no_toml(toml: File, text: bytes) -> None:
    with pytest.raises(StartError) as caught:
        toml.load(text)
    message = wrong(caught)
    assert str(toml.path) in message
    assert "no TOML" in message


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(StartError) as caught:
            load(str(path), {})
        assert f"{path} can't be read" in wrong(caught)


# mistakes in the environment


@pytest.mark.parametrize(
    ("variable", "text", "named"),
    [
        ("MESSENGER_GATWAY__LISTEN", "tcp:1", "[gatway]"),
        ("MESSENGER_GATEWAY__LISEN", "tcp:1", "`lisen` in [gateway]"),
        ("MESSENGER_GATEWAY__", "x", "`` in [gateway]"),
        ("MESSENGER___LISTEN", "x", "no section []"),
        ("MESSENGER_GATEWAY__LISTEN__FIL", "x", "MESSENGER_SECTION__KEY__FILE"),
        ("MESSENGER_A__B__C__FILE", "x", "MESSENGER_SECTION__KEY__FILE"),
        ("MESSENGER_DATABASE__PORT", "x", "`int`"),
        ("MESSENGER_DATABASE__PORT", "", "`int`"),
        ("MESSENGER_DATABASE__PORT", "70000", "<= 65535"),
        ("MESSENGER_DATABASE__PORT", "\u0661", "`int`"),
        ("MESSENGER_NATS__WAIT", "soon", "`float`"),
        ("MESSENGER_NATS__WAIT", "nan", "> 0"),
        ("MESSENGER_NATS__WAIT", "-1", "> 0"),
        ("MESSENGER_NATS__PASSWORD", "x" * 513, "length <= 512"),
        ("MESSENGER_NATS__PASSWORD", "\udcff", "UTF-8"),
        ("MESSENGER_LOG__LEVEL", "loud", "debug"),
        ("MESSENGER_LIMITS__SEND", "fast", "/[smhd]"),
        ("MESSENGER_GATEWAY__AUTH", "x" * 513, "length <= 512"),
        ("MESSENGER_NATS__URL__FILE", "/nonexistent/file", "/nonexistent/file can't be read"),
        ("MESSENGER_NATS__URL__FILE", "", "can't be read"),
        ("MESSENGER_NATS__URL__FILE", "/", "can't be read"),
        ("MESSENGER_NATS__URL__FILE", "a\0b", "no file"),
    ],
)
def test_a_mistake_in_the_environment_is_named(variable: str, text: str, named: str) -> None:
    with pytest.raises(StartError) as caught:
        load(None, {variable: text})
    message = wrong(caught)
    assert variable in message
    assert named in message


def test_a_secret_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(StartError) as caught:
        load(None, {"MESSENGER_NATS__PASSWORD__FILE": str(file)})
    assert "UTF-8" in wrong(caught)


def test_no_message_shows_a_value() -> None:
    """A value in the wrong place may be a secret."""
    for variable in ("MESSENGER_DATABASE__PORT", "MESSENGER_LOG__LEVEL", "MESSENGER_LIMITS__SEND"):
        with pytest.raises(StartError) as caught:
            load(None, {variable: "hunter2"})
        assert "hunter2" not in wrong(caught)


def test_names_that_kubernetes_injects_are_not_ours() -> None:
    injected = {
        "MESSENGER_AUTH_PORT": "tcp://10.0.0.7:8081",
        "MESSENGER_AUTH_PORT_8081_TCP_ADDR": "10.0.0.7",
        "MESSENGER_AUTH_SERVICE_HOST": "10.0.0.7",
        "MESSENGER_GATEWAY_SERVICE_PORT_HTTP": "8080",
        "MESSENGER_PORT": "tcp://10.0.0.8:8080",
        "OTHER_GATEWAY__LISTEN": "tcp:1",
        "XMESSENGER_GATEWAY__LISTEN": "tcp:1",
    }
    assert load(None, injected) == Settings()
