"""Style, with the shipped painter: a photograph at once, and a camera that moves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

import volute
from browsing import bars, too_wide
from realdata import real_data

pytestmark = pytest.mark.browser


def test_a_photograph_is_painted_at_once_mixed_and_saved(view, photo: Path, tmp_path: Path) -> None:
    page = view("style")
    page.locator("volute-style .stage volute-drop input").first.set_input_files(photo)
    painted = page.locator("volute-compare canvas")
    expect(painted).to_have_attribute("data-painted", "wave")
    page.locator("button[data-name=monet]").click()
    expect(painted).to_have_attribute("data-painted", "monet")
    page.get_by_label("Mix several").check()
    page.locator("button[data-name=scream]").click()
    expect(painted).to_have_attribute("data-painted", "monet + scream")
    assert bars(page) == []
    assert too_wide(page) == []
    page.get_by_role("button", name="Paint at full size").click()
    link = page.locator(".state").get_by_role("link", name="Download")
    with page.expect_download() as download:
        link.click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    with Image.open(file) as made, Image.open(photo) as source:
        assert made.size == source.size
    history = volute.verify(file).manifest.history
    assert history is not None
    assert history.deed == "stylize"
    assert "monet" in str(history.generation)


def test_ones_own_picture_becomes_a_style(view) -> None:
    page = view("style")
    page.locator("volute-gallery volute-drop input").set_input_files(
        real_data("style/paintings/picabia_udnie_1913.jpg")
    )
    own = page.locator("button[data-name=picabia_udnie_1913]")
    expect(own).to_have_attribute("aria-pressed", "true")
    assert bars(page) == []
    page.get_by_role("button", name="Delete the style picabia_udnie_1913").click()
    page.get_by_role("button", name="Delete picabia_udnie_1913 for good?").click()
    expect(own).to_have_count(0)


def test_the_camera_is_painted_live_and_changes_its_style(view) -> None:
    page = view("style")
    page.get_by_role("radio", name="The camera, live").check(force=True)
    camera = page.locator("volute-camera")
    expect(camera.locator("[data-live]")).to_contain_text("frames a second")
    canvas = camera.locator("canvas")
    first = canvas.evaluate("canvas => canvas.toDataURL()")
    seen = int(camera.get_attribute("data-frames") or 0)
    page.locator("button[data-name=kandinsky]").click()
    for _ in range(200):
        if int(camera.get_attribute("data-frames") or 0) > seen + 3:
            break
        page.wait_for_timeout(100)
    assert canvas.evaluate("canvas => canvas.toDataURL()") != first
    expect(camera).to_have_attribute("data-fps", re.compile("[1-9]"))
    assert bars(page) == []
    page.get_by_role("button", name="Take a picture").click()
    expect(page.locator(".state").get_by_role("link", name="Download")).to_be_visible()
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
    still = canvas.evaluate("canvas => canvas.toDataURL()")
    page.wait_for_timeout(300)
    assert canvas.evaluate("canvas => canvas.toDataURL()") == still


def test_who_leaves_turns_the_camera_off(view) -> None:
    page = view("style")
    page.get_by_role("radio", name="The camera, live").check(force=True)
    expect(page.locator("volute-camera [data-live]")).to_contain_text("frames a second")
    page.get_by_role("link", name="Write").click()
    page.get_by_role("link", name="Style").click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_what_cannot_be_shown_is_told(view, tmp_path: Path) -> None:
    words, large = tmp_path / "words.txt", tmp_path / "large.png"
    words.write_text("no picture")
    Image.new("1", (11_000, 11_000)).save(large)
    page = view("style")
    for file, told in ((words, "is no picture"), (large, "is too large to be shown")):
        page.locator("volute-style .stage volute-drop input").first.set_input_files(file)
        alert = page.locator("volute-style").get_by_role("alert")
        expect(alert).to_contain_text(f"{file.name} {told}")
