"""`volute export --web`: a model as a page in a real Chromium, with onnxruntime-web from npm."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from browsing import bars, opened
from volute.errors import UsageError
from volute.exports import export_page
from volute.handles import Stylizer, Upscaler, load

pytestmark = pytest.mark.browser
PATIENCE_MS = 120_000


class Quiet(SimpleHTTPRequestHandler):
    """Serves plain files."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A folder that is served, and its address."""
    folder = tmp_path_factory.mktemp("site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page_of(site: tuple[str, Path]) -> Callable[[str], str]:
    """Export a page, give it onnxruntime-web, and return its address."""
    address, folder = site
    modules = folder / "npm"

    def made(ref: str) -> str:
        export_page(ref, folder / ref)
        if not modules.exists():
            _install(folder / ref, modules)
        (folder / ref / "node_modules").symlink_to(modules / "node_modules")
        return f"{address}/{ref}/"

    return made


def _install(page: Path, modules: Path) -> None:
    """Run `npm install` as the page's README says."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine (Debian: apt-get install npm)")
    modules.mkdir()
    shutil.copy(page / "package.json", modules)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run(command, cwd=modules, check=True, capture_output=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        shutil.rmtree(modules)
        pytest.skip(f"npm cannot fetch onnxruntime-web: {error}")


def _picture(height: int, width: int) -> np.ndarray:
    """Return colours that change slowly, edges and noise: uint8 [H, W, 3]."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    waves = [127 + 90 * np.sin(rows / (7 + 9 * c) + columns / (23 - 5 * c)) for c in range(3)]
    picture = np.stack(waves, 2) + rng.normal(0, 4, (height, width, 3))
    picture[height // 3 : height // 2, width // 4 : width // 2] = (240, 30, 60)
    return picture.clip(0, 255).astype(np.uint8)


def _shown(page: Page, picture: np.ndarray, folder: Path) -> np.ndarray:
    """Give the page a picture and return what it makes of it."""
    Image.fromarray(picture).save(folder / "in.png")
    expect(page.locator("#state")).to_have_text("Choose a picture.", timeout=PATIENCE_MS)
    page.set_input_files("#file", folder / "in.png")
    expect(page.locator("#state")).to_contain_text("px in", timeout=PATIENCE_MS)
    data = page.evaluate("document.getElementById('made').toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def test_the_upscaler_of_the_page_makes_what_the_engine_makes(
    browser: Browser, page_of: Callable[[str], str], tmp_path: Path
) -> None:
    picture = _picture(300, 280)  # four tiles
    model = load("photo-x2-fast")
    assert isinstance(model, Upscaler)
    with opened(browser, page_of("photo-x2-fast")) as page:
        made = _shown(page, picture, tmp_path)
        assert not bars(page)
    wanted = model.upscale(picture)
    assert made.shape == wanted.shape
    off = np.abs(made.astype(int) - wanted)
    assert off.max() <= 1


def test_the_stylizer_of_the_page_makes_what_the_engine_makes(
    browser: Browser, page_of: Callable[[str], str], tmp_path: Path
) -> None:
    picture = _picture(270, 610)  # several tiles, and more than is measured in one direction
    plain = np.full((120, 150, 3), 200, np.uint8)
    model = load("painter")
    assert isinstance(model, Stylizer)
    address = page_of("painter")
    for one in (picture, plain):
        with opened(browser, address) as page:
            made = _shown(page, one, tmp_path)
        off = np.abs(made.astype(int) - model.stylize(one, style=model.styles[0]))
        assert off.max() <= 1


def test_without_onnxruntime_web_the_page_says_what_to_do(
    browser: Browser, site: tuple[str, Path]
) -> None:
    export_page("photo-x4-fast", site[1] / "bare")
    with opened(browser, f"{site[0]}/bare/", "404") as page:
        expect(page.locator("#state")).to_contain_text("type: npm install")
        expect(page.locator("#file")).to_be_disabled()


def test_what_has_no_page_is_said(tmp_path: Path) -> None:
    for ref in ("garments-gan", "photo-x2-robust"):
        with pytest.raises(UsageError, match="has no page for a browser"):
            export_page(ref, tmp_path / "page")
    with pytest.raises(UsageError, match="folder of its own"):
        export_page("painter", None)
