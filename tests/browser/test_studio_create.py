"""Create, with the shipped models: samples, sliders, blends, and all of it with the keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

import volute
from browsing import Served, bars, opened, too_wide

pytestmark = pytest.mark.browser
MARK = 4.0
"""How far a watermark may move a pixel of 0 to 255, on average."""


def until(page: Page, true: Callable[[], bool]) -> None:
    """Wait up to 20 s for what the page shows."""
    for _ in range(200):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("the page did not change")


def apart(one: object, other: object) -> float:
    """Return how far two pictures are from each other, on average."""
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean())


def made(page: Page, model: str, n: int = 4) -> None:
    """Make some pictures of a model."""
    page.get_by_role("radio", name=model).check(force=True)
    page.get_by_role("radio", name=str(n), exact=True).check(force=True)
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator(".cell img")).to_have_count(n)
    expect(page.locator("volute-create .progress")).to_have_count(0)


def pixels(canvas: Locator) -> bytes:
    """Return what is on a canvas."""
    return canvas.evaluate("canvas => canvas.toDataURL()").encode()


def saved(page: Page, button: Locator, tmp_path: Path) -> Path:
    """Press something that downloads; return the file."""
    with page.expect_download() as download:
        button.click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_samples_are_those_of_the_command_line_and_signed(view, tmp_path: Path) -> None:
    page = view("create")
    page.get_by_label("Seed", exact=True).fill("7")
    made(page, "garments-gan")
    file = saved(page, page.get_by_role("link", name="Download picture 2"), tmp_path)
    with Image.open(file) as image:
        ours = volute.load("garments-gan").sample(4, seed=7)[1]
        assert apart(image, ours) < MARK
    assert volute.verify(file).manifest.state in ("trusted", "intact")
    assert bars(page) == []
    assert too_wide(page) == []


def test_a_slider_redraws_and_what_it_shows_is_kept(view, tmp_path: Path) -> None:
    page = view("create")
    made(page, "land-gan")
    page.get_by_role("button", name="Picture 1").click()
    canvas = page.locator("volute-explorer canvas")
    slider = page.get_by_role("slider", name="Direction 1")
    slider.wait_for()
    expect(page.locator("volute-explorer[data-ms]")).to_be_visible()
    before = pixels(canvas)
    slider.fill("2.5")
    until(page, lambda: pixels(canvas) != before)
    assert bars(page) == []
    file = saved(page, page.get_by_role("button", name="Keep and download"), tmp_path)
    shown = page.locator("volute-explorer canvas").evaluate(
        "one => [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data]"
    )
    with Image.open(file) as image:
        assert apart(image, np.reshape(shown, (64, 64, 4))[..., :3]) < MARK
        assert json.loads(image.text["volute"])["sliders"] == "2.5"
    expect(page.locator(".cell img")).to_have_count(5)
    page.get_by_role("button", name="Close").click()
    page.locator("volute-create volute-drop input").set_input_files(file)
    expect(page.get_by_role("slider", name="Direction 1")).to_have_value("2.5")


def test_a_picture_on_another_is_a_blend_and_an_animation(view, tmp_path: Path) -> None:
    page = view("create")
    made(page, "garments-vae")
    cells = page.locator(".cell button")
    cells.nth(0).drag_to(cells.nth(2))
    share = page.get_by_role("slider", name="From the first to the second")
    share.wait_for()
    page.wait_for_load_state("networkidle")
    middle = page.locator(".blend canvas").nth(1)
    half = pixels(middle)
    share.fill("1")
    until(page, lambda: pixels(middle) != half)
    assert pixels(middle) == pixels(page.locator(".blend canvas").nth(2))
    page.get_by_role("button", name="Make an animation").click()
    file = saved(page, page.get_by_role("link", name="Download the animation"), tmp_path)
    with Image.open(file) as image:
        assert image.n_frames == 64
    assert bars(page) == []


def test_a_grid_is_taken_up_again_where_the_page_is_opened_anew(view) -> None:
    page = view("create")
    page.get_by_role("radio", name="land-gan").check(force=True)
    page.get_by_role("radio", name="64", exact=True).check(force=True)
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator(".cell img").first).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.locator(".cell")).to_have_count(64)
    expect(page.locator(".cell img")).to_have_count(64)
    expect(page.locator("volute-create .progress")).to_have_count(0)
    labels = page.locator(".cell button[draggable]").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    assert [int(label.split()[1].strip(",:")) for label in labels] == list(range(1, 65))


def test_the_keyboard_is_enough(view) -> None:
    page = view("create")
    page.get_by_role("button", name="Make pictures").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    reached(page, "radio", "land-gan")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name="garments-vae")).to_be_checked()
    reached(page, "radio", "16")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(".cell img")).to_have_count(4)
    expect(page.locator("#status")).to_contain_text("4 pictures made")
    page.get_by_role("heading", name="Make pictures").focus()
    reached(page, "button", "Picture 1: explore")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Explore garments-vae")).to_be_focused()
    page.get_by_role("slider", name="Direction 1").wait_for()
    reached(page, "slider", "Direction 1")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("slider", name="Direction 1")).to_have_value("0.05")
    reached(page, "button", "Blend with another")
    page.keyboard.press("Enter")
    expect(page.locator(".cell button").first).to_be_focused()
    reached(page, "button", "Picture 3: explore")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Blend two pictures")).to_be_focused()
    reached(page, "button", "Close")
    page.keyboard.press("Enter")
    expect(page.locator("volute-blend")).to_have_count(0)


def reached(page: Page, role: str, name: str) -> None:
    """Press Tab until something has the focus."""
    wanted = page.get_by_role(role, name=name, exact=name.isdigit()).first  # type: ignore[arg-type]
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach the {role} {name}")


def test_a_model_that_is_deleted_while_it_is_chosen_is_told(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    with ZipFile(tmp_path / "mine.zip", "w") as archive:
        for file in volute.load("garments-gan")._artefact.path.iterdir():
            archive.write(file, file.name)
    with opened(browser, served.at("models"), spared="404") as page:
        page.locator("volute-models volute-drop input").set_input_files(tmp_path / "mine.zip")
        expect(page.get_by_role("heading", name="mine", exact=True)).to_be_visible()
        page.get_by_role("link", name="Create").click()
        made(page, "mine")
        page.locator(".cell button").first.click()
        slider = page.get_by_role("slider", name="Direction 1")
        slider.wait_for()
        rmtree(served.folder / "models" / "mine")
        slider.fill("1.5")
        alert = page.locator("volute-create").get_by_role("alert")
        expect(alert).to_contain_text("There is no model mine")
        page.get_by_role("button", name="Make pictures").click()
        expect(page.get_by_role("radio", name="mine")).to_have_count(0)
        expect(alert).to_contain_text("There is no model mine")
        expect(page.locator(".cell img").first).to_be_visible()


def test_what_cannot_be_made_again_says_why(view, photo: Path) -> None:
    page = view("create", spared="422")
    with page.expect_response("**/again"):
        page.locator("volute-create volute-drop input").set_input_files(photo)
    alert = page.locator("volute-create").get_by_role("alert")
    expect(alert).to_contain_text("does not say how to make it again")
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)
