"""The demo page in a real Chromium: whole, quiet, and readable on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from demo_fakes import fake_demo
from volute.cli.demo_sections import write_demo

pytestmark = pytest.mark.browser
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return write_demo(fake_demo(tmp_path_factory.mktemp("demo"), patch))


@pytest.fixture
def demo_page(file: Path, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(request.url))
    page.goto(file.as_uri())
    yield page
    assert troubles == []
    page.close()


def load_all(page: Page) -> None:
    """Scroll every lazy picture into view and wait until it is there."""
    for image in page.query_selector_all("img"):
        image.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every(image => image.complete)")


def test_every_picture_is_there(demo_page: Page) -> None:
    load_all(demo_page)
    widths = demo_page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) > 8
    assert min(widths) > 0


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_nothing_scrolls_sideways(demo_page: Page, width: int) -> None:
    demo_page.set_viewport_size({"width": width, "height": 800})
    load_all(demo_page)
    assert demo_page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(demo_page: Page, scheme: str) -> None:
    demo_page.emulate_media(color_scheme=scheme)
    ink, paper = demo_page.evaluate(
        "(() => { const s = getComputedStyle(document.body);"
        " return [s.color, s.backgroundColor].map(c => c.match(/\\d+/g).map(Number)) })()"
    )
    assert abs(sum(ink) - sum(paper)) > 450
    assert (sum(paper) > 600) == (scheme == "light")


def test_whoever_wants_less_motion_gets_stills(demo_page: Page) -> None:
    load_all(demo_page)
    demo_page.emulate_media(reduced_motion="reduce")
    load_all(demo_page)
    shown = demo_page.evaluate("[...document.images].map(image => image.currentSrc)")
    assert not [link for link in shown if link.endswith(".webp")]
