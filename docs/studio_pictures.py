"""Make the pictures of docs/studio.md: every view, at work, light and dark, desktop and phone.

python docs/studio_pictures.py [WORKSPACE] [VIEW...]

A workspace without a training gets one of three minutes first.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from PIL import Image
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browsing import Served, chromium, film, studio  # noqa: E402
from conftest import real_data  # noqa: E402

HERE = ROOT / "docs" / "pictures" / "studio"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
PHOTO = "photos/budgie-oakland-zoo-otters.jpg"
MOST = 150_000
"""Bytes of a picture."""


def create(page: Page) -> None:
    """Sixteen samples, one of them being changed."""
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator(".cell img")).to_have_count(16)
    page.locator(".cell button").nth(1).click()
    slider = page.get_by_role("slider", name="Direction 2")
    slider.fill("1.5")
    expect(page.locator("volute-explorer[data-ms]")).to_be_visible()


def style(page: Page) -> None:
    """A photograph as a mix of two paintings."""
    page.locator(".stage volute-drop input").first.set_input_files(real_data(PHOTO))
    expect(page.locator("canvas[data-painted=wave]")).to_be_visible()
    page.locator("button[data-name=scream]").click()
    expect(page.locator("canvas[data-painted=scream]")).to_be_visible()


def camera(page: Page) -> None:
    """The camera, painted as it comes."""
    page.get_by_role("radio", name="The camera, live").check(force=True)
    page.locator("button[data-name=kandinsky]").click()
    expect(page.locator("volute-camera [data-live]")).to_contain_text("frames a second")
    page.wait_for_timeout(4000)


def enlarge(page: Page) -> None:
    """A photograph beside a scan, a map and a volume."""
    files = (
        "sr_test/Set5/x2/003.png",
        "medical/pydicom/CT_small.dcm",
        "satellite/rgb1.tif",
        "medical/nibabel/nibabel/tests/data/anatomical.nii",
    )
    chosen = [str(real_data(name)) for name in files]
    page.locator("volute-enlarge volute-drop input").set_input_files(chosen)
    expect(page.locator(".tile small", has_text="NIfTI")).to_be_visible()
    page.get_by_role("button", name="Enlarge", exact=True).click()
    expect(page.locator(".tile small", has_text="done")).to_have_count(4)
    page.locator(".tile").first.click()


def write(page: Page) -> None:
    """A text, with what the model did not expect."""
    page.get_by_label("Seed").fill("5")
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_role("link", name="Download", exact=True).wait_for()


def train(page: Page) -> None:
    """A training: its curves, what it makes, how it goes."""
    page.locator(".tile").nth(1).click()
    expect(page.locator("volute-run .sample img")).to_be_visible()


def verify(page: Page) -> None:
    """A picture that was sampled here."""
    made = next(iter(_asked(page.url, "/results?deed=sample&limit=1")["results"]))
    with urlopen(page.url.split("/#")[0] + made["file"]) as answer:
        held = {"name": made["name"], "mimeType": "image/png", "buffer": answer.read()}
    page.locator("volute-verify volute-drop input").set_input_files([held])  # type: ignore[list-item]
    expect(page.locator(".finding")).to_have_count(3)


def models(page: Page) -> None:
    """What there is."""
    expect(page.locator(".shelf li").first).to_be_visible()


VIEWS: dict[str, Callable[[Page], None]] = {
    "create": create, "style": style, "camera": camera, "enlarge": enlarge,
    "write": write, "train": train, "verify": verify, "models": models,
}  # fmt: skip


def _asked(url: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    told = Request(
        url.split("/#")[0] + "/api/v1" + path, data, {"content-type": "application/json"}
    )
    with urlopen(told) as answer:
        return json.load(answer)


def trained(served: Served) -> None:
    """See to it that there is a training."""
    if _asked(served.url, "/runs"):
        return
    shutil.copy(real_data("fashion_mnist.npz"), served.folder / "garments.npz")
    job = _asked(served.url, "/train", {"kind": "gan", "dataset": "garments.npz", "time": "3m"})
    while _asked(served.url, f"/jobs/{job['id']}")["state"] in ("waiting", "running"):
        time.sleep(2)


def save(page: Page, name: str) -> None:
    """Save what is seen, in both themes and sizes."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
            page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
            page.wait_for_timeout(600)
            target = HERE / f"{name}-{size}-{theme}.webp"
            with Image.open(io.BytesIO(page.screenshot())) as seen:
                for quality in (86, 76, 60, 40):
                    seen.convert("RGB").save(target, quality=quality, method=6)
                    if target.stat().st_size <= MOST:
                        break
            print(f"{target.name}: {target.stat().st_size // 1000} kB")


def main(folder: Path, names: list[str]) -> None:
    """Take the pictures of some views."""
    HERE.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=120_000)
    seen = film(real_data(PHOTO), folder / ".seen.mjpeg")
    shot = chromium(f"--use-file-for-fake-video-capture={seen}")
    with studio(folder) as served, shot as browser:
        trained(served)
        for name in names:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(120_000)
            page.goto(served.at("style" if name == "camera" else name))
            page.wait_for_load_state("networkidle")
            VIEWS[name](page)
            save(page, name)
            page.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    if given:
        main(Path(given[0]), given[1:] or list(VIEWS))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made), list(VIEWS))
