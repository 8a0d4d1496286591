"""The web client as the gateway serves it, in both forms, and where it is switched off."""

import gzip
from pathlib import Path

import httpx
import pytest

from messenger.web import assets
from tests.system.stack import Stack, running

pytestmark = pytest.mark.system
BUNDLE = assets.load()


def test_all_files_are_served(stack: Stack) -> None:
    for url in stack.urls:
        with httpx.Client(base_url=url) as client:
            for asset in BUNDLE.assets:
                for coding in ("gzip", "identity"):
                    answer = client.get(asset.path, headers={"Accept-Encoding": coding})
                    assert (answer.status_code, answer.content) == (200, asset.raw)
                    assert answer.headers["Content-Security-Policy"] == assets.POLICY
                    assert answer.headers.get("Content-Encoding", "identity") == coding
                    held = {"Accept-Encoding": coding, "If-None-Match": answer.headers["ETag"]}
                    assert client.get(asset.path, headers=held).status_code == 304
            with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as answer:
                assert gzip.decompress(b"".join(answer.iter_raw())) == client.get("/").content
            head = client.head("/sw.js", headers={"Accept-Encoding": "identity"})
            assert (head.headers["Content-Length"], head.content) == (
                str(len(client.get("/sw.js").content)),
                b"",
            )
            assert client.get("/assets/page.js").status_code == 404
            assert client.post("/").headers["Allow"] == "GET, HEAD"
            assert "/api/v1/auth/register" in client.get("/about").text


def test_it_is_switched_off(tmp_path: Path) -> None:
    with running(Stack(tmp_path, "one", {"MESSENGER_GATEWAY__WEB": "false"})) as off:
        with httpx.Client(base_url=off.url) as client:
            assert client.get("/").text == client.get("/about").text
            assert "not with a browser" in client.get("/").text
            for asset in BUNDLE.assets:
                assert asset.path == "/" or client.get(asset.path).status_code == 404
