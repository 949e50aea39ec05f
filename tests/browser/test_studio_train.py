"""Train and Models: from a folder of photographs to a model that is used, exported and imported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browsing import bars, too_wide
from realdata import real_data

pytestmark = pytest.mark.browser


@pytest.fixture
def harbours(tmp_path: Path) -> Path:
    """Forty aerial photographs and a file that is none."""
    folder = tmp_path / "harbours"
    folder.mkdir()
    for file in sorted(real_data("land/harbor").iterdir())[:40]:
        shutil.copy(file, folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def looked_at(page: Page, folder: Path) -> None:
    """Give a folder, and wait until it was looked at."""
    page.locator("volute-dataset input[webkitdirectory]").set_input_files(folder)
    expect(page.locator(".sheet")).to_be_visible()


def test_a_folder_is_looked_at_before_anything_is_learned(view, harbours: Path) -> None:
    page = view("train")
    with page.expect_file_chooser():
        page.get_by_role("button", name="Train", exact=True).click()
    looked_at(page, harbours)
    expect(page.locator(".check")).to_contain_text("41 images · 40 usable")
    expect(page.locator(".check summary")).to_contain_text("1 file left out")
    assert bars(page) == []
    assert too_wide(page) == []
    page.get_by_role("button", name="Delete these files").click()
    page.get_by_role("button", name="Delete them for good?").click()
    expect(page.locator(".sheet")).to_have_count(0)


def test_a_model_goes_out_as_a_file_and_comes_back(view, tmp_path: Path) -> None:
    page = view("models")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export garments-vae").click()
    file = tmp_path / "mine.zip"
    download.value.save_as(file)
    page.locator("volute-models volute-drop input").set_input_files(file)
    card = page.locator(".shelf li", has=page.get_by_role("heading", name="mine", exact=True))
    expect(card).to_contain_text("imported")
    card.get_by_role("button", name="Card of mine").click()
    expect(page.get_by_role("dialog")).to_contain_text("fashion_mnist.npz")
    assert bars(page) == []
    page.keyboard.press("Escape")
    card.get_by_role("link", name="Open mine").click()
    expect(page.get_by_role("radio", name="mine")).to_be_checked()
    page.get_by_role("link", name="Models").click()
    card.get_by_role("button", name="Delete mine").click()
    card.get_by_role("button", name="Delete mine for good?").click()
    expect(card).to_have_count(0)


@pytest.mark.long
def test_a_folder_becomes_a_model_that_is_used(view, harbours: Path) -> None:
    page = view("train")
    looked_at(page, harbours)
    page.get_by_role("radio", name="Variations").check(force=True)
    page.get_by_role("radio", name="2 min").check(force=True)
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Size").select_option("32")
    page.get_by_role("button", name="Train", exact=True).click()
    run = page.locator("volute-run")
    expect(run.locator(".sample img")).to_be_visible(timeout=120_000)
    expect(run.locator("volute-chart .thick").first).to_be_attached(timeout=60_000)
    expect(run.locator("[data-verdict]")).to_be_visible()
    assert bars(page) == []
    assert too_wide(page) == []
    run.get_by_role("button", name="Stop and save").click()
    expect(run.get_by_role("button", name="Resume")).to_be_visible(timeout=60_000)
    run.get_by_role("button", name="Resume").click()
    expect(run.get_by_role("button", name="Stop and save")).to_be_visible(timeout=60_000)
    run.get_by_role("button", name="Stop and save").click()
    run.get_by_role("button", name="Use it now").click(timeout=60_000)
    expect(page.get_by_role("heading", name="Make pictures")).to_be_visible(timeout=120_000)
    expect(page.get_by_role("radio", name="harbours-1")).to_be_checked()
    page.get_by_role("radio", name="4", exact=True).check(force=True)
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator(".cell img")).to_have_count(4)
