"""The web client's files as the gateway serves them."""

import gzip
import hashlib
import json
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from messenger.core.http.conditions import Verdict, judge
from messenger.web import assets
from messenger.web.assets import Damaged, load, routes, takes_gzip
from tests.gateway.gateway_transport import Bench

BUNDLE = load()
STATIC = files("messenger.web") / "static"
BY_PATH = {asset.path: asset for asset in BUNDLE.assets}
HASHED = [asset for asset in BUNDLE.assets if not asset.changes]


@pytest.fixture
def bench():
    return Bench(web=routes(BUNDLE))


def ask(bench, path, *headers, method="GET"):
    bench.request(method, path, *headers)
    return bench.client.reply()


def test_the_page_names_files_that_are_there():
    page = BY_PATH["/"].raw.decode()
    named = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    assert len(named) == 5  # two icons, the manifest, the style and the script
    assert set(named) < set(BY_PATH)
    # Nothing inline, which the policy forbids, and nothing from elsewhere.
    assert re.search(r"<style|<script>|style=| on[a-z]+=|https?://", page) is None
    # The page starts the worker and the service worker by paths that the build put in.
    worker = next(path for path in BY_PATH if path.startswith("/assets/worker."))
    assert any(worker.encode() in asset.raw for asset in HASHED if asset.path.startswith("/assets/page."))
    for asset in BUNDLE.assets:
        assert asset.path == "/sw.js" or asset.sha256.encode() in BY_PATH["/sw.js"].raw


@pytest.mark.parametrize("asset", BUNDLE.assets, ids=lambda asset: asset.path)
def test_every_file(bench, asset):
    reply = ask(bench, asset.path)
    assert (reply.status, reply.body) == (200, asset.raw)
    assert "content-encoding" not in reply.headers
    packed = ask(bench, asset.path, "Accept-Encoding: gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == asset.raw
    assert packed.headers["etag"] != reply.headers["etag"]
    for one in (reply, packed):
        assert one.headers["content-security-policy"] == assets.POLICY
        assert one.headers["cross-origin-opener-policy"] == "same-origin"
        assert one.headers["cross-origin-resource-policy"] == "same-origin"
        assert one.headers["referrer-policy"] == "no-referrer"
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["content-type"] == asset.media
        assert one.headers["vary"] == "Accept-Encoding"
        kept = "no-cache" if asset.path in ("/", "/sw.js") else "public, max-age=31536000, immutable"
        assert one.headers["cache-control"] == kept
    head = ask(bench, asset.path, method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(asset.raw)))
    # Nothing is read from the disk, asked of a service, or counted.
    assert bench.network.tried == []
    assert "ratelimit-limit" not in reply.headers


def test_what_is_held_is_not_sent_again(bench):
    for coding in ("identity", "gzip"):
        tag = ask(bench, "/", f"Accept-Encoding: {coding}").headers["etag"]
        for held in (tag, f'"other", W/{tag}', "*"):
            reply = ask(bench, "/", f"Accept-Encoding: {coding}", f"If-None-Match: {held}")
            assert (reply.status, reply.body) == (304, b"")
            assert (reply.headers["etag"], reply.headers["cache-control"]) == (tag, "no-cache")
        assert ask(bench, "/", f"Accept-Encoding: {coding}", 'If-None-Match: "other"').status == 200
    # What is held as gzip is not what is asked for plainly.
    assert ask(bench, "/", f"If-None-Match: {tag}").status == 200


def test_unknown_paths_and_methods(bench):
    other = HASHED[0].path.replace(".", ".0", 1)
    strange = ("/index.html", "/manifest.json", "/assets/", "/assets", "/assets/../sw.js", "/sw.js.gz")
    for path in (*strange, other):
        assert ask(bench, path).status == 404, path
    for path in BY_PATH:
        reply = ask(bench, path, method="POST")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


def test_the_page_about_the_server_leads_to_it(bench):
    assert b'<a href="/">in a browser</a>' in ask(bench, "/about").body


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("deflate , gzip ; q=1.000", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*", True),
        ("*;q=0", False),
        ("br", False),
        ("gzip;q=2", False),
        ("gzip;level=9", False),
        ("identity, gzip;q=", False),
    ],
)
def test_accept_encoding(accepted, takes):
    assert takes_gzip(accepted) is takes


def matches(held, tag):
    return judge(tag, None, held, safe=True) is Verdict.not_modified


def test_if_none_match():
    assert matches('"a"', '"a"')
    assert matches('W/"a" , "b"', '"b"')
    assert not matches('"ab"', '"a"')
    assert not matches("a", '"a"')


def test_the_bundle_s_hash_is_the_manifest_s():
    raw = (STATIC / "manifest.json").read_bytes()
    assert BUNDLE.sha256 == hashlib.sha256(raw).hexdigest()
    kept = {f"{one['file']}{end}" for one in json.loads(raw)["files"] for end in ("", ".gz")}
    assert kept | {"manifest.json"} == {path.name for path in STATIC.iterdir()}


def damage(folder: Path, what: str) -> None:
    manifest = folder / "manifest.json"
    said = json.loads(manifest.read_bytes())
    if what == "changed":
        (folder / "index.html").write_text("<script>")
    elif what == "packed":
        (folder / "sw.js.gz").write_bytes(b"")
    elif what == "gone":
        (folder / "sw.js").unlink()
    elif what == "no manifest":
        manifest.unlink()
    elif what == "no json":
        manifest.write_text("{")
    elif what == "unknown":
        manifest.write_text(json.dumps({**said, "more": 1}))
    elif what == "type":
        (folder / "page.exe").write_bytes(b"")
        (folder / "page.exe.gz").write_bytes(b"")
        one = {"path": "/x", "file": "page.exe", "sha256": hashlib.sha256().hexdigest(), "size": 0, "gzip": 0}
        manifest.write_text(json.dumps({"files": [one]}))


@pytest.mark.parametrize("what", ["changed", "packed", "gone", "no manifest", "no json", "unknown", "type"])
def test_damaged_files_are_not_served(tmp_path, what):
    folder = tmp_path / "static"
    shutil.copytree(str(STATIC), folder)
    assert load(folder) == BUNDLE
    damage(folder, what)
    with pytest.raises(Damaged, match="install again"):
        load(folder)


def test_the_tests_in_a_browser_have_the_same_policies():
    script = Path(str(files("messenger.web"))).joinpath("client", "browser.js").read_text()
    for name, value in assets.HEADERS.items():
        for part in value.split("; "):
            assert f'"{part}"' in script, name
