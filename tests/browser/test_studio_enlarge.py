"""Enlarge: each format comes back as itself, beside its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from browsing import bars, too_wide
from realdata import real_data

pytestmark = pytest.mark.browser
NIFTI = "medical/nibabel/nibabel/tests/data/anatomical.nii"


def given(page: Page, *files: Path) -> None:
    """Drop files on the view."""
    page.locator("volute-enlarge volute-drop input").set_input_files([str(file) for file in files])


def test_four_formats_come_back_as_themselves(view, photo: Path, tmp_path: Path) -> None:
    sources = [
        photo,
        real_data("medical/pydicom/CT_small.dcm"),
        real_data("satellite/rgb-byte-tenth.tif"),
        real_data(NIFTI),
    ]
    page = view("enlarge")
    given(page, *sources)
    expect(page.locator(".tile small", has_text="NIfTI")).to_be_visible()
    page.get_by_role("button", name="Enlarge", exact=True).click()
    expect(page.locator(".tile small", has_text="done")).to_have_count(4)
    for number, source in enumerate(sources):
        page.locator(".tile").nth(number).click()
        expect(page.locator("volute-compare .after img")).to_be_visible()
        with page.expect_download() as download:
            page.locator(".facts").get_by_role("link", name="Download").click()
        assert download.value.suggested_filename.endswith(source.suffix)
    download.value.save_as(tmp_path / "last.nii")
    assert (tmp_path / "last.nii").stat().st_size > sources[-1].stat().st_size
    assert bars(page) == []
    assert too_wide(page) == []


def test_a_photograph_beside_itself_zooms_and_shows_what_was_invented(view, photo: Path) -> None:
    page = view("enlarge")
    given(page, photo)
    page.locator("volute-compare").wait_for()
    page.get_by_role("button", name="Enlarge", exact=True).click()
    after = page.locator("volute-compare .after img")
    after.wait_for()
    with Image.open(photo) as source:
        assert after.evaluate("image => image.naturalWidth") == 2 * source.width
    port = page.locator(".view-port")
    port.focus()
    page.keyboard.press("+")
    scales = [
        page.locator(f"volute-compare .{side} img").evaluate(
            "image => new DOMMatrix(getComputedStyle(image).transform).a"
        )
        for side in ("before", "after")
    ]
    assert scales[0] == scales[1] > 1
    line = page.get_by_role("slider", name="Line between before and after")
    line.focus()
    page.keyboard.press("ArrowRight")
    assert "51%" in (
        page.locator(".pane.after").evaluate("pane => getComputedStyle(pane).clipPath")
    )
    expect(page.locator(".pane.map")).to_be_hidden()
    page.get_by_label("Show what was invented").check()
    expect(page.locator(".pane.map img")).to_be_visible()
    expect(page.locator("volute-enlarge")).to_contain_text("contradict the source")


def test_what_cannot_be_enlarged_says_so_beside_what_can(view, photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:900])
    page = view("enlarge", spared="422")
    with page.expect_response("**/preview*"):
        given(page, broken)
    alert = page.locator("volute-enlarge").get_by_role("alert")
    expect(alert).to_contain_text("broken.png")
    given(page, photo)
    page.locator(".tile").nth(1).click()
    page.get_by_role("button", name="Enlarge", exact=True).click()
    expect(page.locator(".tile small", has_text="done")).to_have_count(1)
