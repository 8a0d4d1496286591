"""The web client's files as the gateway serves them: all in memory from the start, under one policy.

`static/` is what `make web` has built. Its `manifest.json` says which file answers which path, and each
file's SHA-256, so a file that was changed or lost since ends the start instead of reaching a browser. The
SHA-256 of the manifest stands for the whole bundle.

`/` and `/sw.js` keep their names from version to version, so a browser asks each time whether they have
changed (ETag, RFC 9110 section 8.8.3). All other files have a hash of their content in their names and never
change. Each goes out as gzip where the client takes that (RFC 9110 section 12.5.3); it was compressed by the
build.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from messenger.core.http.answers import Answer
from messenger.core.http.call import Call
from messenger.core.http.conditions import Verdict, judge
from messenger.core.http.routing import Route

MANIFEST = "manifest.json"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "img-src 'self' blob:",
        "media-src blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types messenger",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
PLAIN = "identity"
_NAMED_BY_HASH = re.compile(r"/assets/[a-z0-9-]+\.[0-9a-f]{16}\.[a-z]+", re.ASCII)
_FOREVER = "public, max-age=31536000, immutable"
_CODING = re.compile(r"([A-Za-z0-9*_-]+)[ \t]*(?:;[ \t]*[Qq]=([01](?:\.[0-9]{0,3})?))?", re.ASCII)


class Damaged(Exception):
    """The built files are not what the build wrote."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the manifest. `size` and `gzip` are in bytes, the latter of the file that ends in `.gz`."""

    path: str
    file: str
    sha256: str
    size: int
    gzip: int


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: list[_File]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its path on the server, its type, what it is plainly and as gzip."""

    path: str
    media: str
    raw: bytes
    packed: bytes
    sha256: str

    @property
    def changes(self) -> bool:
        """Whether another version has other content under the same name."""
        return _NAMED_BY_HASH.fullmatch(self.path) is None


@dataclass(frozen=True, slots=True)
class Bundle:
    """All files of a version. `sha256` is that of the manifest, which has those of all files."""

    sha256: str
    assets: list[Asset]


def load(folder: Traversable | None = None) -> Bundle:
    """Read what was built, and hold it against its manifest. Damaged."""
    place = folder if folder is not None else files("messenger.web") / "static"
    raw = _read(place, MANIFEST)
    try:
        manifest = msgspec.json.decode(raw, type=_Manifest)
    except msgspec.MsgspecError as error:
        raise _damaged(f"{MANIFEST} can't be read: {error}") from None
    return Bundle(_sha256(raw), [_load(place, one) for one in manifest.files])


def _load(place: Traversable, said: _File) -> Asset:
    raw, packed = _read(place, said.file), _read(place, f"{said.file}.gz")
    if len(raw) != said.size or _sha256(raw) != said.sha256 or len(packed) != said.gzip:
        raise _damaged(f"{said.file} is not the one that was built")
    media = TYPES.get(said.file.rpartition(".")[2])
    if media is None:
        raise _damaged(f"{said.file} is of no known type")
    return Asset(said.path, media, raw, packed, said.sha256)


def _read(place: Traversable, name: str) -> bytes:
    try:
        return (place / name).read_bytes()
    except OSError as error:
        raise _damaged(f"{name} can't be read: {error}") from None


def _damaged(what: str) -> Damaged:
    return Damaged(f"the web client's files are damaged ({what}): install again, or `make web` in a clone")


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def routes(bundle: Bundle) -> list[Route]:
    """A route for each file."""
    return [_route(asset) for asset in bundle.assets]


def _route(asset: Asset) -> Route:
    forms = {False: _Form.of(asset, asset.raw, PLAIN), True: _Form.of(asset, asset.packed, "gzip")}

    async def answer(call: Call) -> Answer:
        return forms[takes_gzip(call.header("Accept-Encoding"))].answer(call.header("If-None-Match"))

    return Route(
        method="GET",
        path=asset.path,
        handler=answer,
        name="web",
        summary="A file of the web client.",
        answer=bytes,
        open=True,
        class_="free",
        media=asset.media.partition(";")[0],
    )


@dataclass(frozen=True, slots=True)
class _Form:
    """A file in one coding, and all that its answers bear."""

    media: str
    body: bytes
    tag: str
    coding: dict[str, str]
    headers: dict[str, str]

    @classmethod
    def of(cls, asset: Asset, body: bytes, coding: str) -> "_Form":
        # Another coding is another representation, with a strong tag of its own.
        tag = f'"{asset.sha256[:32]}-{coding}"'
        headers = {
            **HEADERS,
            "Cache-Control": "no-cache" if asset.changes else _FOREVER,
            "Vary": "Accept-Encoding",
            "ETag": tag,
        }
        return cls(asset.media, body, tag, {} if coding == PLAIN else {"Content-Encoding": coding}, headers)

    def answer(self, known: str | None) -> Answer:
        """The file, or that the client has it: `known` is its If-None-Match."""
        if judge(self.tag, None, known, safe=True) is Verdict.not_modified:
            return Answer(304, None, self.headers)
        return Answer(200, self.body, {**self.headers, **self.coding}, self.media)


def takes_gzip(accepted: str | None) -> bool:
    """Whether Accept-Encoding allows gzip; what is malformed allows nothing."""
    weights: dict[str, float] = {}
    for one in (accepted or "").split(","):
        match = _CODING.fullmatch(one.strip())
        if match is not None:
            weights[match[1].lower()] = float(match[2] or 1)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0
