"""The two engines: the same results, exact by tiles and seeds, no library used elsewhere."""

from __future__ import annotations

import io
import subprocess
import sys
import tokenize
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import volute
from make_artefact import make_gan
from volute.engine import with_openvino
from volute.engine.session import DEFAULT, Engine, Session
from volute.errors import MissingExtraError, UsageError
from volute.handles import Stylizer, Upscaler

SOURCE = Path(volute.__file__).parent
LIBRARIES = {"onnxruntime", "openvino"}
WHERE = {"engine/with_onnxruntime.py", "engine/with_openvino.py", "training/quantise.py"}
"""The engines, and the quantiser, which is another tool of the same library."""


def openvino(precision: str = "float32") -> Engine:
    pytest.importorskip("openvino")
    if precision not in with_openvino.precisions():
        pytest.skip(f"this CPU has no {precision}")
    return Engine("openvino", precision)


def picture(height: int, width: int) -> np.ndarray:
    """A smooth picture with edges."""
    y, x = np.mgrid[:height, :width] / 9
    planes = np.stack([np.sin(x + y), np.cos(x * y / 40), np.sign(np.sin(y / 2))], 2)
    noise = np.random.default_rng(0).normal(0, 5, planes.shape)
    return (127 + 90 * planes + noise).astype(np.uint8)


def test_libraries_are_named_in_two_files() -> None:
    found = set()
    for file in SOURCE.rglob("*.py"):
        names = tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
        if LIBRARIES & {token.string for token in names if token.type == tokenize.NAME}:
            found.add(file.relative_to(SOURCE).as_posix())
    assert found == WHERE


def test_the_other_engine_gives_the_same() -> None:
    for name in ("garments-gan", "garments-vae"):
        ours = volute.load(name).arrays(3, seed=1)
        others = volute.load(name, engine=openvino()).arrays(3, seed=1)
        assert np.abs(ours.astype(int) - others).max() <= 1
    array = picture(60, 44)
    ours = volute.load("photo-x2").upscale(array)
    others = volute.load("photo-x2", engine=openvino()).upscale(array)
    assert np.abs(ours.astype(int) - others).max() <= 1


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_sample_i_depends_on_seed_and_i_alone(precision: str) -> None:
    model = volute.load("garments-gan", engine=openvino(precision))
    many = model.arrays(20, seed=5)
    assert np.array_equal(many, model.arrays(20, seed=5))
    again = volute.load("garments-gan", threads=1, engine=openvino(precision))
    assert np.array_equal(many[:3], again.arrays(3, seed=5))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", ["photo-x2-fast", "photo-x4-fast"])
def test_tiles_leave_no_trace(name: str, precision: str) -> None:
    model = volute.load(name, engine=openvino(precision))
    array = picture(150, 133)
    whole = model.upscale(array).astype(int)
    with patch.object(Upscaler, "_pixels", return_value=5000):
        tiled = model.upscale(array)
    assert np.abs(whole - tiled).max() <= 1


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_tiles_of_a_style_leave_no_trace(precision: str) -> None:
    model = volute.load("painter", engine=openvino(precision))
    array = picture(420, 500)
    style = model.style("wave", like=array)
    whole = model.stylize(array, style=style).astype(int)
    with patch.object(Stylizer, "_pixels", return_value=300 * 300):
        tiled = model.stylize(array, style=style)
    assert np.abs(whole - tiled).max() <= 1


def test_weights_in_memory_run_on_the_other_engine() -> None:
    array = picture(96, 80)
    ours = volute.load("painter").stylize(array, style="monet")
    others = volute.load("painter", engine=openvino()).stylize(array, style="monet")
    assert np.abs(ours.astype(int) - others).max() <= 1


def test_many_threads_run_one_session(tmp_path: Path) -> None:
    graph = make_gan(tmp_path / "gan").graph("generator")
    session = Session(graph, 1, engine=openvino())
    latents = [np.full((1, 8), number, np.float32) for number in range(16)]
    alone = [session.run({"latent": latent}) for latent in latents]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda latent: session.run({"latent": latent}), latents))
    assert all(np.array_equal(a, b) for a, b in zip(alone, beside, strict=True))


def test_the_shape_of_an_input(tmp_path: Path) -> None:
    graph = make_gan(tmp_path / "gan").graph("generator")
    for engine in (DEFAULT, openvino()):
        session = Session(graph, 1, engine=engine)
        assert session.shape("latent")[1] == 8
        assert not isinstance(session.shape("latent")[0], int)
        assert session.shape("other") == []


def test_without_the_extra_the_line_that_installs_it() -> None:
    with_openvino._core.cache_clear()
    try:
        with (
            patch.dict(sys.modules, {"openvino": None}),
            pytest.raises(MissingExtraError, match=r"openvino is not installed") as caught,
        ):
            volute.load("photo-x2", engine=Engine("openvino"))
    finally:
        with_openvino._core.cache_clear()
    assert caught.value.hint == 'Install it with: pip install "volute[openvino]"'


def test_what_has_no_choice_says_so() -> None:
    assert volute.load("bard", engine=DEFAULT).info.name == "bard"
    with pytest.raises(UsageError, match="bard has no choice of engines"):
        volute.load("bard", engine=openvino())
    with pytest.raises(UsageError, match="ONNX Runtime has no bf16"):
        volute.load("photo-x2", engine=Engine("onnxruntime", "bf16"))


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_nothing_is_left_in_the_home_folder(tmp_path: Path, name: str) -> None:
    """Imported as they are, both begin with telemetry and write an ID there."""
    pytest.importorskip(name)
    code = (
        "import sys, volute; from volute.engine.session import Engine\n"
        f"volute.load('garments-vae', engine=Engine('{name}')).sample(1)\n"
        "print(sys.modules.get('openvino_telemetry'), 'urllib.request' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(tmp_path), "PYTHONPATH": str(SOURCE.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("None False\n", "")
    assert list(tmp_path.iterdir()) == []
