"""A studio in a process of its own, and a real Chromium that looks at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip
PATIENCE_MS = 30_000
LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
WIDTHS = (320, 390, 768, 1060, 1280)


@dataclass(frozen=True)
class Served:
    """A studio that runs: where its page is, and its workspace."""

    url: str
    folder: Path

    def at(self, view: str) -> str:
        """Return the address of a view."""
        return f"{self.url}/#/{view}"


@contextlib.contextmanager
def studio(folder: Path, port: str = "0") -> Iterator[Served]:
    """Run `volute studio` on a workspace while the block runs."""
    command = [sys.executable, "-m", "volute", "studio", str(folder), "--no-browser"]
    command += ["--port", port]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line.startswith("studio"), line + child.communicate()[1]
        yield Served(line.split()[1], folder)
    finally:
        child.terminate()
        child.communicate(timeout=30)


@contextlib.contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Run Chromium while the block runs, or skip the test with the reason."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=[*ARGUMENTS, *more])
        yield running
        running.close()


def troubles_of(page: Page) -> list[str]:
    """Return a list to which whatever goes wrong on a page will be added."""
    found: list[str] = []
    page.on("console", lambda message: found.append(_told(message)) if _bad(message) else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("requestfailed", lambda request: found.append(f"{request.url}: {request.failure}"))
    return found


def _bad(message: ConsoleMessage) -> bool:
    return message.type in ("error", "warning")


def _told(message: ConsoleMessage) -> str:
    return f"{message.text} {message.location['url']}"


@contextlib.contextmanager
def opened(browser: Browser, address: str, spared: str = "", **how: object) -> Iterator[Page]:
    """Open a page in a context of its own; at the end nothing may have gone wrong on it.

    `spared` is the status of an answer that is refused on purpose: Chromium reports it by itself.
    """
    options = {"viewport": {"width": 1280, "height": 860}, **how}
    context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    found = troubles_of(page)
    page.goto(address)
    yield page
    context.close()
    refused = f"the server responded with a status of {spared or 'none'}"
    left = [one for one in found if "ERR_ABORTED" not in one and refused not in one]
    assert not left, left


def bars(page: Page) -> list[str]:
    """Return what axe-core has against a page, of the levels A and AA, in both themes."""
    rules = {"runOnly": {"type": "tag", "values": list(LEVELS)}, "resultTypes": ["violations"]}
    told = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        for one in Axe().run(page, options=rules).response["violations"]:
            told += [f"{theme}: {one['id']}: {node['html'][:200]}" for node in one["nodes"]]
    return told


def too_wide(page: Page) -> list[int]:
    """Return the widths at which a page scrolls sideways."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 860})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(width)
    return found


def film(photo: Path, target: Path, frames: int = 24) -> Path:
    """Write frames of 480 x 360 px that wander over a photograph, as Motion JPEG."""
    with Image.open(photo) as image:
        whole = image.convert("RGB").resize((720, 480))
    with target.open("wb") as out:
        for number in range(frames):
            left, top = number * (720 - 480) // frames, number * (480 - 360) // frames
            whole.crop((left, top, left + 480, top + 360)).save(out, "JPEG", quality=90)
    return target
