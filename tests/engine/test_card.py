from __future__ import annotations

import ast
import shlex
from pathlib import Path

from PIL import Image

from make_artefact import config
from volute.engine.artefact import ArtefactConfig, open_artefact, write_artefact
from volute.engine.card import MARKS, card_text, facts, marks
from volute.zoo import shipped


def test_the_card_tells_what_the_model_is(tmp_path: Path) -> None:
    about = config("gan", "garments", channels=3, classes=("bag", "a|b"))
    training = {"images shown": "48 000", "device": "CPU, 2 threads"}
    samples = Image.new("RGB", (8, 8))
    metrics = {"frechet": 12.345678}
    write_artefact(tmp_path / "m", about, {"generator": b""}, {}, metrics, samples, training)
    card = (tmp_path / "m" / "README.md").read_text()
    assert card.startswith('---\nlicense: "cc0-1.0"\nlibrary_name: volute\n')
    for part in [
        "![Samples of garments](samples.png)",
        "volute sample garments -n 16 --grid",
        'volute.load("garments")',
        "| size | 16 x 16 px |",
        "| channels | 3 (RGB) |",
        "| parameters | 4,321 |",
        "| multiply-adds | 0.3 million a picture |",
        "| classes | bag, a\\|b |",
        "| images shown | 48 000 |",
        "| data | 16 drawings \\| made for tests |",
        "| frechet | 12.35 |",
        "synthetic: mark them as such",
        "CC0-1.0. The licence covers these weights",
    ]:
        assert part in card
    assert (tmp_path / "m" / "samples.png").is_file()


def test_a_card_without_pictures_or_measures() -> None:
    card = card_text(config("classify", classes=("cat", "dog")), {}, {}, pictured=False)
    assert "samples.png" not in card
    assert "None were taken." in card
    assert "pipeline_tag" not in card


def test_facts_leave_out_what_is_not_there() -> None:
    assert "classes" not in facts(config("gan"))
    assert facts(config("vae"))["latent"] == "16"


def test_names_of_styles_survive_the_shell_and_python() -> None:
    name = """van "G's" $HOME"""
    about = config("gan").model_dump()
    descriptor = about["descriptor"] | {"kind": "style", "channels": 3, "size": 0, "radius": 8}
    values = {"descriptor": descriptor, "styles": [name], "latent": 0, "name": "my painter"}
    card = card_text(ArtefactConfig.make({**about, **values}), {}, {}, pictured=False)
    commands = [line for line in card.splitlines() if line.startswith("volute stylize")]
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command)
        assert words[words.index("--style") + 1] == name
        assert words[words.index("--model") + 1] == "my painter"
    call = next(line for line in card.splitlines() if line.startswith("result = model.stylize"))
    assert ast.literal_eval(call.split("style=", 1)[1].rstrip(")")) == name
    assert 'volute.load("my painter")' in card


def test_a_card_says_what_marks_outputs_carry_and_where_abuse_is_told() -> None:
    card = card_text(config("gan"), {}, {}, pictured=False)
    assert "## Marks" in card
    assert "an ID of 16 bits" in card
    assert "`volute verify FILE`" in card
    assert "To report abuse: ADDRESS" in card
    assert "DICOM" in marks("upscale", "me@example.org")
    assert "me@example.org" in marks("upscale", "me@example.org")
    assert marks("classify") == ""


def test_shipped_cards_say_so_too() -> None:
    for path in shipped().values():
        kind = open_artefact(path).config.descriptor.kind
        card = (path / "README.md").read_text()
        assert ("## Marks" in card) == (kind in MARKS)
        assert "ADDRESS" not in card
