"""How fast the studio's page is in a real Chromium: first page, slider, camera.

python benchmarks/studio_page.py [--seconds 10]

The browser and the server share the cores, as on a user's computer. The camera's picture is a file
of 480 x 360 px (Chromium's fake device).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browsing import Served, chromium, film, studio
from realdata import real_data

PHOTO = "photos/budgie-oakland-zoo-otters.jpg"
PATIENCE_MS = 120_000
Row = tuple[str, str, str]
"""What, how much, and the target."""


def opened(browser: Browser, address: str) -> Page:
    """Open a page with an empty cache."""
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    return page


def first(browser: Browser, served: Served) -> Iterator[Row]:
    """Measure what a first visit loads, and when its form can be used."""
    page = opened(browser, "about:blank")
    page.goto(served.at("create"))
    page.get_by_role("button", name="Make pictures").wait_for()
    ready = page.evaluate("performance.now()")
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".map(one => one.transferSize)"
    )
    yield f"first page, {len(sizes)} answers", f"{ready:.0f} ms", "1 s"
    yield "all that it transfers", f"{sum(sizes) / 1000:.0f} kB", "150 kB"
    page.context.close()


def slider(browser: Browser, served: Served, moves: int = 30) -> Iterator[Row]:
    """Measure how soon a moved slider is a picture, in the page."""
    page = opened(browser, served.at("create"))
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator(".cell img")).to_have_count(16)
    page.locator(".cell button").first.click()
    moved = page.get_by_role("slider", name="Direction 1")
    moved.wait_for()
    taken = []
    for move in range(moves):
        moved.fill(f"{-1.5 + move * 0.1:.2f}")
        page.wait_for_load_state("networkidle")
        taken.append(int(page.locator("volute-explorer").get_attribute("data-ms") or 0))
    yield "slider to picture, median (64 px)", f"{statistics.median(taken):.0f} ms", "60 ms"
    page.context.close()


def camera(browser: Browser, served: Served, seconds: float) -> Iterator[Row]:
    """Measure the camera as it is seen: frames a second, and from frame to picture."""
    page = opened(browser, served.at("style"))
    page.get_by_role("radio", name="The camera, live").check(force=True)
    live = page.locator("volute-camera")
    expect(live.locator("[data-live]")).to_contain_text("frames a second")
    page.wait_for_timeout(2000)
    rates, delays, sides = [], [], []
    for _ in range(int(seconds * 4)):
        page.wait_for_timeout(250)
        rates.append(float(live.get_attribute("data-fps") or 0))
        delays.append(int(live.get_attribute("data-ms") or 0))
        sides.append(int(live.get_attribute("data-side") or 0))
    side = f"{statistics.median(sides):.0f} px"
    yield f"camera, painted at {side}, frames a second", f"{statistics.median(rates):.1f}", "20"
    yield "camera, frame to picture, median", f"{statistics.median(delays):.0f} ms", "150 ms"
    page.context.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    expect.set_options(timeout=PATIENCE_MS)
    with tempfile.TemporaryDirectory() as made:
        os.environ["VOLUTE_CONFIG"] = f"{made}/config"
        seen = film(real_data(PHOTO), Path(made) / "seen.mjpeg")
        shot = chromium(f"--use-file-for-fake-video-capture={seen}")
        with studio(Path(made) / "work") as served, shot as browser:
            for row in (
                *first(browser, served),
                *camera(browser, served, seconds),
                *slider(browser, served),
            ):
                print("{:44} {:>10}   {}".format(*row))


if __name__ == "__main__":
    main()
