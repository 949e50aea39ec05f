"""Procedural scenes: what photographs have, the same from a seed, and a source like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest

from drawing import folder_of
from shapes import TINY
from volute.data import DataSettings, is_scenes, open_dataset, scenes, textures
from volute.data.scenes import scene, texture
from volute.errors import DataError
from volute.events import Progress, silent

SCENES = Path("scenes")


@pytest.fixture(autouse=True)
def few_scenes_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenes, "COUNT", 32)


@pytest.fixture(scope="module")
def luma() -> np.ndarray:
    """Luma of 64 scenes, float [64, 128, 128] in 0..255."""
    pictures = [scene(np.random.default_rng([5, index]), 128) for index in range(64)]
    return np.stack(pictures) @ np.array([0.299, 0.587, 0.114])


def spectrum_slope(luma: np.ndarray) -> float:
    """Return the exponent of the mean power spectrum over frequency; -2 is an amplitude of 1/f."""
    side = luma.shape[1]
    window = np.outer(np.hanning(side), np.hanning(side))
    centred = luma - luma.mean((1, 2), keepdims=True)
    power = (np.abs(np.fft.fft2(centred * window)) ** 2).mean(0)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    rings = np.geomspace(3 / side, 0.45, 9)
    inside = [(radius >= a) & (radius < b) for a, b in zip(rings, rings[1:], strict=False)]
    means = np.array([[radius[ring].mean(), power[ring].mean()] for ring in inside])
    return float(np.polyfit(*np.log(means).T, 1)[0])


def spreads(luma: np.ndarray) -> np.ndarray:
    """Return the deviation of each block of 8x8 px."""
    number, side, _ = luma.shape
    blocks = luma.reshape(number, side // 8, 8, side // 8, 8).swapaxes(2, 3)
    return blocks.reshape(-1, 64).std(1)


def test_the_mean_spectrum_is_that_of_photographs(luma):
    assert -2.8 < spectrum_slope(luma) < -1.9


def test_the_measure_of_the_spectrum_tells_noise_of_known_slope():
    rng = np.random.default_rng(0)
    radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    radius[0, 0] = np.inf
    white = rng.standard_normal((32, 128, 128))
    pink = np.fft.ifft2(np.fft.fft2(white) / radius).real
    assert abs(spectrum_slope(white)) < 0.1
    assert abs(spectrum_slope(pink) + 2) < 0.15


def test_flat_areas_textures_and_edges_are_all_there(luma):
    spread = spreads(luma)
    assert 0.08 < (spread < 3).mean() < 0.4
    assert 0.25 < ((spread >= 5) & (spread < 25)).mean() < 0.7
    assert 0.03 < (spread > 40).mean() < 0.25


def test_gradients_are_sparse_as_in_photographs(luma):
    step = np.diff(luma, axis=2).ravel()
    assert (step**4).mean() / (step**2).mean() ** 2 > 8  # 3 for a Gaussian


def test_exposures_differ_but_no_scene_is_black_white_or_one_colour(luma):
    assert 85 < luma.mean() < 145
    assert 15 < luma.mean((1, 2)).std() < 45
    assert luma.std((1, 2)).min() > 4


def test_scenes_are_coloured(luma):
    pictures = np.stack([scene(np.random.default_rng([6, i]), 64) for i in range(32)]).astype(int)
    saturation = pictures.max(-1) - pictures.min(-1)
    assert 20 < saturation.mean() < 110


@pytest.mark.parametrize("make", [scene, texture])
@pytest.mark.parametrize("side", [16, 28, 57])
def test_any_side(make, side):
    for seed in range(25):
        picture = make(np.random.default_rng(seed), side)
        assert (picture.shape, picture.dtype) == ((side, side, 3), np.uint8)


@pytest.mark.parametrize("make", [scene, texture])
def test_a_seed_gives_the_same_picture_and_another_seed_another(make):
    first, again, other = (make(np.random.default_rng(seed), 48) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("draw", dict.fromkeys(textures._KINDS), ids=lambda f: f.__name__)
def test_every_manner_uses_its_palette_and_fills_the_picture(draw):
    colours = np.array([[0.1, 0.1, 0.3], [0.8, 0.3, 0.2], [0.9, 0.9, 0.8]])
    seen = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        canvas = draw(rng, textures.motif(rng, 64), colours)
        assert canvas.shape == (64, 64, 3)
        assert np.isfinite(canvas).all()
        seen.append(canvas.std())
        changed = draw(np.random.default_rng(seed), np.full((64, 64), 0.5), colours[:, ::-1])
        same = draw(np.random.default_rng(seed), np.full((64, 64), 0.5), colours)
        assert not np.allclose(changed, same)
    assert max(seen) > 0.05


def test_textures_are_of_many_manners():
    pictures = [texture(np.random.default_rng([2, i]), 64).astype(float) for i in range(80)]
    means = np.array([p.mean((0, 1)) for p in pictures])
    assert means.std(0).min() > 25
    roughness = np.array([np.abs(np.diff(p.mean(2), axis=1)).mean() for p in pictures])
    assert np.percentile(roughness, 90) > 2.5 * np.percentile(roughness, 10)


def test_another_process_with_other_hashes_draws_the_same_bytes():
    code = "import numpy as np, sys; from volute.data.scenes import scene, texture;"
    code += " rng = np.random.default_rng(1);"
    code += " [sys.stdout.buffer.write(m(rng, 32)) for m in [scene, texture] * 3]"
    environment = {"PYTHONHASHSEED": "99"}
    ran = subprocess.run([sys.executable, "-c", code], check=True, env=environment, stdout=PIPE)
    rng = np.random.default_rng(1)
    assert ran.stdout == b"".join(draw(rng, 32).tobytes() for draw in [scene, texture] * 3)


def test_the_word_opens_a_pack_of_scenes():
    dataset = open_dataset(SCENES, DataSettings(), 24, silent)
    assert dataset.pictures.shape == (32, 24, 24, 3)
    assert np.array_equal(dataset.pictures[9], scene(np.random.default_rng([0, 9]), 24))
    assert dataset.report.lines() == [
        "32 images · 32 usable",
        "all 24x24 px, kept at 24x24, RGB",
        "procedural scenes",
    ]


def test_by_default_they_have_256_px(monkeypatch):
    monkeypatch.setattr(scenes, "COUNT", 16)
    assert open_dataset(SCENES, DataSettings(), None, silent).size == 256


def test_tiles_of_scenes_are_whole_scenes():
    dataset = open_dataset(SCENES, DataSettings(crop="tiles"), 96, silent)
    assert dataset.pictures.shape == (32, 96, 96, 3)


def test_they_are_drawn_once_and_again_after_a_new_version(monkeypatch):
    first = open_dataset(SCENES, DataSettings(), 16, silent)
    with monkeypatch.context() as patch:
        patch.setattr(scenes, "scene", None)
        assert open_dataset(SCENES, DataSettings(), 16, silent).key == first.key
    monkeypatch.setattr(scenes, "VERSION", scenes.VERSION + 1)
    assert open_dataset(SCENES, DataSettings(), 16, silent).key != first.key


def test_progress_of_drawing_knows_the_end(monkeypatch):
    monkeypatch.setattr("volute.data.gather._TICK_S", 0.0)
    events = []
    open_dataset(SCENES, DataSettings(), 20, events.append)
    assert [e.fraction for e in events if isinstance(e, Progress)][-1] == 1.0


def test_a_folder_of_that_name_goes_before():
    folder_of(SCENES, 16)
    assert not is_scenes(SCENES)
    dataset = open_dataset(SCENES, DataSettings(), 16, silent)
    assert len(dataset.pictures) == 16
    assert "procedural scenes" not in dataset.report.lines()


@pytest.mark.parametrize("name", ["missing/scenes", "Scenes", "scenes.npz"])
def test_only_the_bare_word_is_one(name):
    with pytest.raises(DataError, match="does not exist"):
        open_dataset(Path(name), DataSettings(), 16, silent)


def test_an_absolute_path_that_is_gone_is_not_replaced_by_scenes():
    with pytest.raises(DataError, match="does not exist"):
        open_dataset(SCENES.resolve(), DataSettings(), 16, silent)


def test_a_run_learns_from_scenes_and_goes_on_from_another_folder(tmp_path, monkeypatch):
    from volute.jobs import resume, train

    run = train("gan", "scenes", size=16, kimg=0.1, out=tmp_path / "run", settings=TINY["gan"])
    assert run.config.source == "scenes"
    assert "procedural scenes" in (run.path / "data.txt").read_text()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    resume(run.path, kimg=0.2)
    assert run.metrics["shown"] >= 200
    monkeypatch.setattr(scenes, "VERSION", scenes.VERSION + 1)
    with pytest.raises(DataError, match="have changed"):
        resume(run.path, kimg=0.3)


def test_a_run_on_a_folder_called_scenes_stays_on_it(tmp_path, monkeypatch):
    from volute.jobs import resume, train

    folder_of(SCENES, 20)
    run = train("gan", "scenes", size=16, kimg=0.032, out=tmp_path / "run", settings=TINY["gan"])
    assert run.config.source == str(SCENES.resolve())
    SCENES.rename("moved")
    with pytest.raises(DataError, match="does not exist"):
        resume(run.path, kimg=0.1)
