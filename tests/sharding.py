"""Small sets of shards, and a server that gives them, sometimes badly."""

from __future__ import annotations

import contextlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image

from shapes import shapes

Members = list[tuple[str, bytes]]


def png(picture: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def tar(members: Members) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def shards(count: int, each: int, labelled: bool = True) -> list[bytes]:
    """Return tars of 16 px shapes; picture n of the set is the only one whose corner is n."""
    pictures, labels = shapes(count * each)
    made = []
    for shard in range(count):
        members: Members = []
        for number in range(shard * each, (shard + 1) * each):
            pictures[number, 0, 0], pictures[number, 0, 1] = divmod(number, 256)
            members.append((f"{number:06d}.png", png(pictures[number])))
            if labelled:
                members.append((f"{number:06d}.cls", str(labels[number]).encode()))
        made.append(tar(members))
    return made


def numbers(squares: object) -> list[int]:
    """Return which pictures squares uint8 [n, 16, 16, 1] are."""
    return [int(s[0, 0, 0]) * 256 + int(s[0, 1, 0]) for s in squares]  # type: ignore[attr-defined]


def written(folder: Path, tars: list[bytes]) -> str:
    """Write them; return their pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(tars):
        (folder / f"s-{number:03d}.tar").write_bytes(content)
    return str(folder / f"s-{{000..{len(tars) - 1:03d}}}.tar")


class Server(ThreadingHTTPServer):
    """Files by name, and pages of links to those in a folder, whose name ends in a slash.

    `ranges`: whether parts are given; `cuts`: how many answers break off; `links`: what else is
    linked to on every page.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.sent = 0
        self.links: list[str] = []
        self.ranges, self.cuts = True, 0
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer(body=False)

    def do_GET(self) -> None:  # noqa: N802
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        content = self.server.files.get(self.path, self._page())
        self.server.asked.append(f"{self.command} {self.path}")
        if content is None:
            self.send_error(404)
            return
        wanted = self.headers.get("Range") if self.server.ranges else None
        start, end = 0, len(content)
        if wanted:
            first, last = wanted.removeprefix("bytes=").split("-")
            start, end = int(first), min(end, int(last) + 1)
        self.send_response(206 if wanted else 200)
        if self.path.endswith("/"):
            self.send_header("Content-Type", "text/html")
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if body and self.server.cuts:
            self.server.cuts -= 1
            end = (start + end) // 2
            self.close_connection = True
        if body:
            self.server.sent += end - start
            with contextlib.suppress(OSError):
                self.wfile.write(content[start:end])

    def _page(self) -> bytes | None:
        inside = [n[len(self.path) :] for n in self.server.files if n.startswith(self.path)]
        if not self.path.endswith("/") or not inside:
            return None
        names = {name.partition("/")[0] + "/" * ("/" in name) for name in inside}
        links = sorted(names) + self.server.links
        return "".join(f'<a href="{link}">{link}</a>\n' for link in links).encode()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(tars: list[bytes]) -> Iterator[Server]:
    """Serve them as /s-000.tar, /s-001.tar, ..."""
    server = Server()
    server.files = {f"/s-{number:03d}.tar": content for number, content in enumerate(tars)}
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
