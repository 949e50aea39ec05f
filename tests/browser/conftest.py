"""One Chromium and one studio for all tests in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import PATIENCE_MS, Served, chromium, film, opened, studio
from realdata import real_data
from volute.provenance import keys

OpenPage = Callable[..., Page]


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, whose camera sees a photograph."""
    expect.set_options(timeout=PATIENCE_MS)
    seen = film(
        real_data("photos/budgie-oakland-zoo-otters.jpg"),
        tmp_path_factory.mktemp("camera") / "seen.mjpeg",
    )
    with chromium(f"--use-file-for-fake-video-capture={seen}") as running:
        yield running


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A studio with an empty workspace."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOLUTE_CACHE", str(folder.parent / "cache"))
        patch.setenv("VOLUTE_CONFIG", str(folder.parent / "config"))
        if not (folder.parent / "config" / "keys").exists():
            keys.init()
        with studio(folder) as running:
            yield running


@pytest.fixture
def view(browser: Browser, served: Served) -> Iterator[OpenPage]:
    """Open views: `view("create")`; at the end nothing may have gone wrong on them."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda name, **how: stack.enter_context(opened(browser, served.at(name), **how))


@pytest.fixture
def photo() -> Path:
    """A real photograph of 288 x 288 px or so."""
    return sorted(real_data("sr_test/Set5/x2").glob("*.png"))[0]
