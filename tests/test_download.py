"""Downloads from a local server that behaves in every bad way that servers do."""

from __future__ import annotations

import dataclasses
import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from volute import download
from volute.download import Asset, fetch
from volute.errors import UsageError, VoluteError

BODY = bytes(range(256)) * 40
REDIRECTS = {
    "/moved": "/right",
    "/to-file": "file:///etc/passwd",
    "/to-ftp": "ftp://127.0.0.1/right",
    "/to-https": "https://127.0.0.1/right",
    "/to-stranger": "http://192.0.2.1/right",
    "/to-nowhere": "http://[broken/right",
    "/round": "/round",
}


class Handler(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:  # noqa: N802
        self.asked.append(self.path)
        if target := REDIRECTS.get(self.path):
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BODY * 2)
        elif self.path in ("/right", "/truncated", "/silent"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY if self.path == "/right" else BODY[:1000])
            if self.path == "/silent":
                self.wfile.flush()
                self.connection.recv(1)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asset]:
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VOLUTE_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(Handler, "asked", [], raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/right"
        digest = hashlib.sha256(BODY).hexdigest()
        yield Asset("weights.bin", url, digest, len(BODY) + 10, "10 kB", "CC0")
        server.shutdown()


def at(asset: Asset, place: str) -> Asset:
    return dataclasses.replace(asset, url=asset.url.replace("/right", place))


def yes(text: str) -> bool:
    return True


def no(text: str) -> bool:
    return False


def refused(asset: Asset) -> str:
    """Return the one line of what went wrong; nothing may be left behind."""
    with pytest.raises(VoluteError) as caught:
        fetch(asset, yes)
    assert list(asset.path.parent.glob("*")) == []
    assert caught.value.hint
    assert "\n" not in caught.value.what
    assert asset.url in caught.value.what
    return caught.value.what


@pytest.mark.parametrize("place", ["/right", "/moved"])
def test_the_right_file_is_fetched_once(place: str, asset: Asset) -> None:
    asked: list[str] = []
    path = fetch(at(asset, place), lambda text: not asked.append(text))
    assert path.read_bytes() == BODY
    assert path.parent.name == "downloads"
    for word in (place, "10 kB", "CC0", asset.sha256, str(path)):
        assert word in asked[0]
    before = len(Handler.asked)
    assert fetch(asset, no) == path
    assert len(Handler.asked) == before
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_file_in_the_cache_is_fetched_again(asset: Asset) -> None:
    path = fetch(asset, yes)
    path.write_bytes(BODY[:-1])
    with pytest.raises(UsageError):
        fetch(asset, no)
    assert fetch(asset, yes).read_bytes() == BODY


def test_a_refused_consent_fetches_nothing(asset: Asset) -> None:
    with pytest.raises(UsageError, match="without your agreement") as caught:
        fetch(asset, no)
    assert "ONNX" in caught.value.hint
    assert str(asset.path) in caught.value.hint
    assert Handler.asked == []


def test_offline_nothing_is_asked_nor_fetched(
    asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLUTE_OFFLINE", "1")
    with pytest.raises(VoluteError, match="VOLUTE_OFFLINE") as caught:
        fetch(asset, lambda text: pytest.fail("asked"))
    for word in (asset.url, str(asset.path), asset.sha256):
        assert word in str(caught.value)
    assert Handler.asked == []
    asset.path.parent.mkdir(parents=True)
    asset.path.write_bytes(BODY)
    assert fetch(asset, no) == asset.path


@pytest.mark.parametrize("value", ["", "0"])
def test_offline_may_be_said_off(value: str, asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLUTE_OFFLINE", value)
    assert fetch(asset, yes).read_bytes() == BODY


def test_a_wrong_hash_is_refused(asset: Asset) -> None:
    found = asset.sha256
    wrong = dataclasses.replace(asset, sha256="0" * 64)
    assert refused(wrong).endswith(f"has SHA-256 {found}, not {'0' * 64}")


def test_more_than_the_limit_is_refused(asset: Asset) -> None:
    assert "more than 10,250 bytes" in refused(at(asset, "/endless"))
    assert "more than 5 bytes" in refused(dataclasses.replace(asset, limit=5))


def test_a_connection_that_breaks_off_is_refused(asset: Asset) -> None:
    assert "broke off 9,240 bytes before its end" in refused(at(asset, "/truncated"))


def test_a_silent_server_is_given_up(asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    assert "timed out" in refused(at(asset, "/silent"))


def test_an_absent_file_is_told_with_its_code(asset: Asset) -> None:
    assert refused(at(asset, "/absent")).endswith("answered 404 Not Found")


def test_an_absent_server_is_told(asset: Asset) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"http://127.0.0.1:{port}/right"
    assert "refused" in refused(dataclasses.replace(asset, url=url))


@pytest.mark.parametrize("place", [p for p in REDIRECTS if p != "/moved"])
def test_a_redirect_elsewhere_is_refused(place: str, asset: Asset) -> None:
    refused(at(asset, place))
    assert set(Handler.asked) == {place}


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://localhost@ab.c/x"],
)
def test_only_https_is_asked_for(url: str, asset: Asset) -> None:
    with pytest.raises(UsageError, match="only https"):
        fetch(dataclasses.replace(asset, url=url), lambda text: pytest.fail("asked"))
