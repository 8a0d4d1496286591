"""Reading the configuration: one TOML file, then the environment on top of it.

`MESSENGER_SECTION__KEY` overrides a key of a section; `MESSENGER_SECTION__KEY__FILE` names a file whose
content (without the last line break) is the value, for Docker's and Kubernetes' secrets. Lists in the
environment are separated by commas. Only names that begin with `MESSENGER_` and hold `__` are read:
Kubernetes injects others of that beginning. Whatever is wrong is one line that names it, and exit 78.
"""

import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.settings import Settings

PREFIX = "MESSENGER_"
CONFIG_VARIABLE = "MESSENGER_CONFIG"
_MAX_SECRET = 65_536


def load(
    path: str | None, environ: Mapping[str, str], over: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """The settings from the file at `path` (or where MESSENGER_CONFIG says; or none), and `environ`.

    `over` has defaults that stand below the file (what `twist messenger` knows of its embedded engines).
    Raises StartError with status 78.
    """
    values: dict[str, dict[str, Any]] = {name: dict(section) for name, section in (over or {}).items()}
    chosen = path or environ.get(CONFIG_VARIABLE)
    if chosen:
        for name, section in _read_file(Path(chosen)).items():
            if not isinstance(section, dict):
                raise _wrong(f"{chosen}: `{name}` stands outside any section")
            values.setdefault(name, {}).update(section)
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and "__" in variable:
            if f"{variable}__FILE" in environ:
                raise _wrong(f"{variable} and {variable}__FILE are both set: which of them is meant?")
            section_name, key, value = _from_environment(variable, text)
            values.setdefault(section_name, {})[key] = value
    return _convert(values, chosen)


def require(value: str, section: str, key: str) -> str:
    """`value`, or StartError where this secret was not given."""
    if not value:
        variable = f"{PREFIX}{section.upper()}__{key.upper()}"
        raise _wrong(
            f"[{section}] {key} is missing: set it in the file, in {variable} or in {variable}__FILE"
        )
    return value


def trusted_networks(texts: Sequence[str], section: str) -> list[str]:
    """These addresses, networks and `unix` as they are, or StartError where one is none of these."""
    for text in texts:
        try:
            if text != "unix":
                ip_network(text, strict=False)
        except ValueError as error:
            raise _wrong(f"[{section}] trusted_proxies: {error}") from None
    return list(texts)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise _wrong(f"the configuration {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(f"the configuration {path} is no TOML: {error}") from None


def _from_environment(variable: str, text: str) -> tuple[str, str, Any]:
    parts = variable[len(PREFIX) :].lower().split("__")
    if len(parts) == 3 and parts[2] == "file":
        try:
            with open(text, "rb") as file:
                text = file.read(_MAX_SECRET).decode("utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise _wrong(f"{variable}: {text} can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise _wrong(f"{variable}: {text} is not UTF-8") from None
        except ValueError:  # a NUL in the name
            raise _wrong(f"{variable}: this names no file") from None
    elif len(parts) != 2:
        raise _wrong(f"{variable}: expected {PREFIX}SECTION__KEY or {PREFIX}SECTION__KEY__FILE")
    if any("\udc80" <= character <= "\udcff" for character in text):
        raise _wrong(f"{variable}: its value is not UTF-8")
    section, key = parts[0], parts[1]
    kind = _kind_of(section, key, variable)
    if msgspec.inspect.is_struct_type(kind):  # pragma: no cover - sections hold no sections
        raise _wrong(f"{variable}: names a section")
    try:
        value = [item.strip() for item in text.split(",") if item.strip()] if _is_list(kind) else text
        return section, key, msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _wrong(f"{variable}: {error}") from None


def _kind_of(section: str, key: str, variable: str) -> Any:
    sections = {known.name: known for known in msgspec.structs.fields(Settings)}
    if section not in sections:
        raise _wrong(f"{variable}: there is no section [{section}]")
    for known in msgspec.structs.fields(sections[section].type):
        if known.name == key:
            return known.type
    raise _wrong(f"{variable}: there is no setting `{key}` in [{section}]")


def _is_list(kind: Any) -> bool:
    found = msgspec.inspect.type_info(kind)
    kinds = found.types if isinstance(found, msgspec.inspect.UnionType) else (found,)
    return any(isinstance(one, msgspec.inspect.ListType) for one in kinds)


def _convert(values: dict[str, dict[str, Any]], source: str | None) -> Settings:
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        where, _, path = str(error).partition(" - at `$.")
        named = f"[{path.rstrip('`').replace('.', '] ', 1)}: " if path else ""
        if path and "." not in path:
            named = f"[{path.rstrip('`')}]: "
        raise _wrong(f"{source or 'the configuration'}: {named}{where}") from None


def _wrong(message: str) -> StartError:
    # One line, whatever a key in the file looks like.
    return StartError(" ".join(message.split()), EX_CONFIG)
