import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo_fakes import EVIL, SHOWN, fake_demo
from volute import zoo
from volute.cli import demo as command
from volute.cli import demo_sections, page
from volute.errors import MissingExtraError, UsageError

VOID = {"meta", "link", "img", "source", "br", "line", "path", "polyline"}


class Checker(HTMLParser):
    """Collects what a page refers to, and fails on tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [str(found[key]) for key in ("src", "srcset", "href") if key in found]
        if tag == "img":
            self.images.append(found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def checked(file: Path) -> Checker:
    checker = Checker()
    checker.feed(file.read_text(encoding="utf-8"))
    assert checker.open == []
    return checker


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return demo_sections.write_demo(fake_demo(tmp_path_factory.mktemp("demo"), patch))


def test_the_page_is_whole_and_everything_it_shows_lies_beside_it(made: Path) -> None:
    checker = checked(made)
    local = [link for link in checker.links if not link.startswith("data:")]
    assert len(local) > 12
    for link in local:
        assert (made.parent / link).is_file(), link
    assert "http" not in "".join(local)
    assert "$" not in "".join(checker.words)


def test_every_picture_is_described_and_keeps_its_place(made: Path) -> None:
    for image in checked(made).images:
        assert len(image["alt"] or "") > 10
        with Image.open(made.parent / str(image["src"])) as opened:
            assert (str(opened.width), str(opened.height)) == (image["width"], image["height"])


def test_words_of_a_model_are_text_and_not_markup(made: Path) -> None:
    checker = checked(made)
    assert EVIL in checker.words
    assert "<b>&quot;" not in made.read_text(encoding="utf-8")
    assert "T-shirt/top" in checker.words


def test_it_tells_the_facts_of_the_run(made: Path) -> None:
    words = checked(made).words
    for fact in ("60 s", "64,000", "1,067", "4,321", "2 CPU threads", "bfloat16"):
        assert fact in words


def test_the_film_shows_the_generated_half_of_each_grid_in_order(made: Path) -> None:
    films = sorted((made.parent / "pictures").glob("film-*.png"))
    assert tuple(int(film.stem.removeprefix("film-")) for film in films) == SHOWN
    with (
        Image.open(films[0]) as film,
        Image.open(made.parent / "run" / "samples" / "000001600.png") as grid,
    ):
        half = grid.crop((grid.width // 2, 0, grid.width, grid.height))
        np.testing.assert_array_equal(np.asarray(film), np.asarray(half))


def test_a_walk_moves_and_has_a_still(made: Path) -> None:
    with Image.open(made.parent / "pictures" / "walk.webp") as film:
        assert getattr(film, "n_frames", 1) == 4 * 24
        still = Image.open(made.parent / "pictures" / "walk-still.png")
        assert film.size == still.size


def test_without_shipped_models_their_section_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = fake_demo(tmp_path, monkeypatch)
    assert "garments-gan" in demo_sections.shipped_models(demo)
    monkeypatch.setattr(zoo, "HERE", tmp_path / "empty")
    assert demo_sections.shipped_models(demo) == ""


def test_a_new_section_is_one_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = fake_demo(tmp_path, monkeypatch)
    own = [lambda demo: page.section("Larger & sharper", "By <2>.", page.card("<i>HTML</i>"))]
    monkeypatch.setattr(demo_sections, "SECTIONS", own)
    html = demo_sections.write_demo(demo).read_text(encoding="utf-8")
    assert "<h2>Larger &amp; sharper</h2>" in html
    assert "By &lt;2&gt;." in html
    assert "<i>HTML</i>" in html


def test_curves_stay_inside_their_frame_even_when_flat_or_single() -> None:
    for rows in ([{"shown": 64, "a": 1.0}], [{"shown": i, "a": 0.0} for i in range(1, 999)]):
        html = page.curves(rows, {"a": "one"}, "Title.", "Text.")
        points = html.split('points="')[1].split('"')[0].split()
        assert 1 <= len(points) <= page.POINTS
        for point in points:
            x, y = map(float, point.split(","))
            assert page.LEFT <= x <= page.RIGHT
            assert page.TOP <= y <= page.BOTTOM


def test_the_digits_are_real_and_eight_bit() -> None:
    images, labels = command._digits()
    pictures = command._enlarged(images)
    assert pictures.shape == (1797, 16, 16, 1)
    assert pictures.dtype == np.uint8
    assert pictures.min() == 0
    assert pictures.max() == 255
    assert sorted(set(labels.tolist())) == list(range(10))


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match="scikit-learn") as caught:
        command._digits()
    assert 'pip install "volute[dev]"' in caught.value.hint


def test_an_earlier_demo_makes_room_but_nothing_else_does(tmp_path: Path) -> None:
    command._clear(tmp_path / "absent")
    command._clear(tmp_path)
    mine = tmp_path / "mine.txt"
    mine.write_text("keep me")
    with pytest.raises(UsageError, match="no demo"):
        command._clear(tmp_path)
    with pytest.raises(UsageError, match="no demo"):
        command._clear(mine)
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "digits.npz").touch()
    (tmp_path / ".volute-demo").touch()
    command._clear(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
