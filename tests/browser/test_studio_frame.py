"""The studio's frame: small, quiet, for everybody, and calm when the server is away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browsing import bars, opened, studio, too_wide

pytestmark = pytest.mark.browser
VIEWS = ("create", "style", "enlarge", "write", "train", "verify", "models")
FIRST_BYTES = 150_000


def test_no_view_bars_anybody_nor_scrolls_sideways(view) -> None:
    page = view("create")
    for name in VIEWS:
        page.goto(page.url.split("#")[0] + f"#/{name}")
        page.locator(f"volute-{name} h1").wait_for()
        page.wait_for_load_state("networkidle")
        assert bars(page) == [], name
        assert too_wide(page) == [], name


def test_the_first_page_is_small_and_asks_nobody_else(view, served) -> None:
    page = view("create")
    page.wait_for_load_state("networkidle")
    asked = page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".map(one => [one.name, one.transferSize])"
    )
    assert {name for name, _ in asked if not name.startswith((served.url, "blob:"))} == set()
    assert sum(size for _, size in asked) < FIRST_BYTES
    assert not [name for name, _ in asked if "/views/" in name and "create" not in name]


def test_nothing_inline_may_run(view, served) -> None:
    answer = view("create").request.get(served.url)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r" style=| on\w+=|<style|<script(?![^>]*src)", answer.text())


def test_a_theme_is_kept(view) -> None:
    page = view("create", color_scheme="light")
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    assert sum(int(one) for one in dark.strip("rgb()").split(",")) < 150


def test_who_moves_on_is_at_the_head_of_the_view(view) -> None:
    page = view("create")
    page.get_by_role("link", name="Verify").click()
    expect(page.get_by_role("heading", name="Where does it come from?")).to_be_focused()
    assert page.title().startswith("Where does it come from?")
    assert page.get_by_role("link", name="Verify").get_attribute("aria-current") == "page"


@pytest.mark.long
def test_a_studio_that_goes_away_is_missed_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_context().new_page()
    with studio(tmp_path) as served:
        page.goto(served.at("create"))
        page.get_by_role("button", name="Make pictures").wait_for()
    port = served.url.rsplit(":", 1)[1]
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator("volute-create .problem")).to_contain_text("start it again: volute studio")
    with studio(tmp_path, port):
        expect(page.locator("#away")).to_be_hidden()
    page.context.close()


def test_an_unknown_view_is_the_first(view) -> None:
    page = view("nonsense")
    expect(page.get_by_role("heading", name="Make pictures")).to_be_visible()


def test_the_page_that_is_open_twice_shows_the_work_of_both(browser: Browser, served) -> None:
    with opened(browser, served.at("create")) as one, opened(browser, served.at("models")) as two:
        one.get_by_role("button", name="Make pictures").click()
        expect(one.locator(".cell img")).to_have_count(16)
        two.get_by_role("button", name="Activity").click()
        expect(two.locator("#tray li").first).to_contain_text("Making pictures")
        assert bars(two) == []
        two.keyboard.press("Escape")
        expect(two.locator("#tray")).to_be_hidden()


def test_what_is_dropped_without_a_file_or_too_large_is_told(view) -> None:
    page = view("verify")
    drop = page.locator("volute-verify volute-drop")
    drop.evaluate(
        "(on) => on.dispatchEvent(new DragEvent('drop', {dataTransfer: new DataTransfer()}))"
    )
    expect(drop.get_by_role("alert")).to_have_text("There is no file in it.")
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.method))
    drop.evaluate(
        "(on) => on.dispatchEvent(new CustomEvent('files',"
        " {detail: [{name: 'scan.nii', size: 2 ** 40}]}))"
    )
    alert = page.locator("volute-verify").get_by_role("alert").first
    expect(alert).to_contain_text("scan.nii has more than 2.1 GB")
    assert "POST" not in sent
