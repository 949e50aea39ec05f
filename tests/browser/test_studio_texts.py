"""Write and Verify, with the shipped models and what they made."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

import volute
from browsing import bars, too_wide

pytestmark = pytest.mark.browser


def test_a_text_is_streamed_coloured_and_saved(view, tmp_path: Path) -> None:
    page = view("write")
    page.get_by_label("Length").fill("300")
    page.get_by_label("Seed").fill("3")
    page.get_by_role("button", name="Write", exact=True).click()
    text = page.locator(".written")
    expect(text.locator("span.s0").first).to_be_visible()
    link = page.get_by_role("link", name="Download", exact=True)
    link.wait_for()
    assert {"s0", "s2"} <= set(
        text.evaluate("text => [...text.children].map(one => one.className)")
    )
    ours = volute.load("bard").write("ROMEO:\n", tokens=300, temperature=0.8, min_p=0.02, seed=3)
    assert text.text_content() == str(ours) or str(ours) in (text.text_content() or "")
    assert bars(page) == []
    assert too_wide(page) == []
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.endswith(".txt")


def test_writing_is_stopped(view) -> None:
    page = view("write")
    length = page.get_by_label("Length")
    length.evaluate("slider => (slider.max = 20000)")  # 3,000 may be written before it is pressed
    length.fill("20000")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator(".written span.s0").first).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).dispatch_event("click")
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_enabled()


def test_a_text_of_ones_own_shows_its_surprises(view) -> None:
    page = view("write")
    page.get_by_label("Beginning").fill("To be, or not to be: zxqj")
    page.get_by_role("button", name="Show how surprising this is").click()
    expect(page.locator(".written .s5").first).to_be_visible()
    assert page.locator(".written").text_content() == "To be, or not to be: zxqj"


def test_a_file_tells_three_findings_and_its_history(view, tmp_path: Path) -> None:
    file = tmp_path / "sampled.png"
    model = volute.load("garments-gan")
    model.sample(1, seed=3)[0].save(file)
    from volute.provenance import sign

    how = {"index": 0, "truncation": 1.0, "class": None}
    sign(file, model.origin("sample", how, seed=3))
    page = view("verify")
    page.locator("volute-verify volute-drop input").set_input_files(file)
    expect(page.locator(".finding")).to_have_count(3)
    expect(page.get_by_role("region", name="Manifest")).to_contain_text("signed")
    expect(page.get_by_role("region", name="History")).to_contain_text("Sampled with garments-gan")
    assert bars(page) == []
    assert too_wide(page) == []
    page.get_by_role("button", name="Go on from this picture").click()
    expect(page.get_by_role("heading", name="Explore garments-gan, seed 3")).to_be_visible()


def test_a_file_without_a_manifest_is_called_unknown(view, photo: Path) -> None:
    page = view("verify")
    page.locator("volute-verify volute-drop input").set_input_files(photo)
    expect(page.get_by_role("region", name="Manifest")).to_contain_text("No manifest")
    expect(page.get_by_role("region", name="History")).to_contain_text("nothing is known")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("play.txt", b"Enter Hamlet."),
        ("<img src=x onerror=alert(1)>.png", b""),
        ("of any kind.bin", b"\0\1\2" * 99),
    ],
)
def test_what_is_no_picture_is_looked_at_too(view, name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    page = view("verify")
    page.locator("volute-verify volute-drop input").set_input_files(tmp_path / name)
    expect(page.locator(".finding")).to_have_count(3)
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator("volute-verify").get_by_role("alert")).to_have_count(0)
