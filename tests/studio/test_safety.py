"""Who may ask for what."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from serving import Client, serving
from volute.errors import UsageError
from volute.studio.server import serve, token
from volute.studio.settings import Settings

MODELS = "/api/v1/models"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8640", "", "127.0.0.1.evil.example"]
)
def test_another_name_for_this_computer_is_refused(client: Client, host: str) -> None:
    answer = client.get(MODELS, headers={"host": host})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:99"])
def test_its_own_names_are_served(client: Client, host: str) -> None:
    assert client.get(MODELS, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_page_elsewhere_is_refused(client: Client, headers: dict[str, str]) -> None:
    body = {"model": "garments-gan"}
    assert client.post("/api/v1/sample", json=body, headers=headers).status_code == 403
    assert client.get(MODELS, headers=headers).status_code == 403


def test_the_page_itself_may_be_opened_from_elsewhere(client: Client) -> None:
    linked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=linked).status_code == 200


@pytest.mark.parametrize("path", ["live", "events"])
def test_a_websocket_of_a_page_elsewhere_is_refused(client: Client, path: str) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{client.socket}/{path}", origin="http://evil.example"),
    ):
        pass
    assert refused.value.response.status_code == 403
    place = client.base_url.host, client.base_url.port
    with socket.create_connection(place) as raw:  # DNS rebinding: its name is here, its page is not
        asked = (
            f"GET /api/v1/{path} HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n"
        )
        asked += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        raw.sendall(f"{asked}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 403")


def test_a_websocket_of_the_page_is_served(client: Client) -> None:
    own = str(client.base_url).rstrip("/")
    with connect(f"{client.socket}/events", origin=own):
        pass


def test_the_page_may_load_only_its_own(client: Client) -> None:
    for path in ("/", MODELS, "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_a_large_body_is_refused(client: Client) -> None:
    large = b'{"model": "' + b"x" * (5 << 20) + b'"}'
    assert client.post("/api/v1/sample", content=large).status_code == 413
    parts = (large[n : n + 65536] for n in range(0, len(large), 65536))
    assert client.post("/api/v1/sample", content=parts).status_code == 413


def test_beyond_loopback_a_token_is_needed(tmp_path: Path) -> None:
    settings = {"host": "0.0.0.0", "token": "secret", "page": False}
    with serving(tmp_path / "work", **settings) as client:
        assert client.get("/api/v1/health").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret"}):
            answer = client.get(MODELS, headers=headers)
            assert answer.status_code == 401
            assert "secret" not in answer.text
            with (
                pytest.raises(InvalidStatus),
                connect(f"{client.socket}/events", additional_headers=headers),
            ):
                pass
        good = {"authorization": "Bearer secret"}
        assert client.get(MODELS, headers={**good, "host": "any.example"}).status_code == 200
        assert client.get("/", headers=good).status_code == 404
        with connect(f"{client.socket}/events", additional_headers=good):
            pass


def test_without_a_token_nothing_is_served_beyond_loopback(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="token"):
        serve(Settings(folder=tmp_path / "work", host="0.0.0.0", port=0), print)


def test_the_token_is_made_once_and_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLUTE_CONFIG", str(tmp_path / "config"))
    made = token()
    assert len(made) > 30
    assert token() == made
    file = tmp_path / "config" / "studio-token"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(UsageError, match="others can read"):
        token()
    monkeypatch.setenv("VOLUTE_TOKEN", "given")
    assert token() == "given"


def test_one_client_may_ask_only_so_often(tmp_path: Path) -> None:
    with serving(tmp_path / "work", limits={"rate": 0.5, "burst": 5}) as client:
        answers = [client.get("/api/v1/health") for _ in range(7)]
    assert [one.status_code for one in answers] == [200] * 5 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_second_server_in_one_folder_is_refused(own: Client) -> None:
    with pytest.raises(UsageError, match="another studio"), serving(own.studio.space.root):
        pass
