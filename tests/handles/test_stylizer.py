"""The handle of a style network: styles, mixes, kinds of pictures, tiles, hostile artefacts."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file, save_file

import volute
from make_stylizer import CELL, STYLES, changed, shared_stylizer
from volute.engine.session import Session
from volute.errors import DataError, UsageError, VoluteError
from volute.handles import Stylizer
from volute.handles.styles import STYLE_SIDE, Style, style_pixels, style_reduced


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_stylizer(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def model(folder: Path) -> Stylizer:
    return opened(folder)


def opened(folder: Path, threads: int | None = None) -> Stylizer:
    handle = volute.load(folder, threads=threads)
    assert isinstance(handle, Stylizer)
    return handle


def picture(height: int, width: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    values = np.random.default_rng(height * 1000 + width).random((height, width, channels))
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (values * top).astype(dtype)


def difference(a: Any, b: Any) -> float:
    return float(np.abs(np.asarray(a).astype(float) - np.asarray(b)).mean())


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 260), st.integers(1, 260), st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.integers(1, 4), st.integers(1, 40_000),
)  # fmt: skip
def test_the_result_does_not_depend_on_the_tiles(
    model: Stylizer, height: int, width: int, dtype: type, channels: int, pixels: int
) -> None:
    array = picture(height, width, channels, dtype)
    with patch.object(Stylizer, "_pixels", return_value=pixels):
        small = model.stylize(array, style="wave")
    large = model.stylize(array, style="wave", memory=4 << 30)
    assert small.shape == array.shape
    assert small.dtype == dtype
    assert np.array_equal(small, large)


def test_the_result_does_not_depend_on_the_threads(folder: Path, model: Stylizer) -> None:
    array = picture(300, 220, 3, np.uint16)
    made = [opened(folder, threads).stylize(array, style="monet") for threads in (1, 2, 3)]
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])


def test_less_memory_than_reckoned_gives_the_same(model: Stylizer) -> None:
    array = picture(300, 200)
    whole = model.stylize(array, style="wave")
    run = Session.run

    def short(self: Session, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if "picture" in inputs and inputs["picture"].size > 3 * 220 * 200:
            raise MemoryError
        return run(self, inputs)

    with patch.object(Session, "run", short):
        assert np.array_equal(model.stylize(array, style="wave"), whole)


def test_every_kind_comes_back_as_it_went_in(model: Stylizer, tmp_path: Path) -> None:
    array = picture(20, 30)
    made = model.stylize(array, style="wave")
    image = model.stylize(Image.fromarray(array), style="wave")
    assert isinstance(image, Image.Image)
    assert np.array_equal(np.asarray(image), made)
    Image.fromarray(array).save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(model.stylize(tmp_path / "a.png", style="wave")), made)
    assert np.array_equal(
        np.asarray(volute.stylize(model._artefact.path, array, style="wave")), made
    )
    assert model.stylize(array[..., 0], style="wave").shape == (20, 30)
    assert difference(made, model.stylize(array, style="monet")) > 20


def test_sixteen_bits_stay_sixteen_also_in_pil(model: Stylizer) -> None:
    array = picture(24, 24, 1, np.uint16)
    fine = model.stylize(array, style="wave")[..., 0]
    image = model.stylize(Image.fromarray(array[..., 0]), style="wave")
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(image), fine)
    assert len(np.unique(fine % 257)) > 50


def test_strength_goes_from_nothing_to_all(model: Stylizer) -> None:
    array = picture(40, 50, 4, np.uint16)
    made = [model.stylize(array, style="wave", strength=s) for s in (0, 0.01, 0.5, 0.99, 1)]
    assert np.array_equal(made[0], array)
    assert made[0] is not array
    steps = [difference(made[-1], one) for one in made[1:]]
    assert steps[0] > steps[1] > steps[2] > steps[3] == 0
    for strength in (-0.1, 1.1, float("nan"), "0.5", None, 1j):
        with pytest.raises(UsageError, match="not between 0 and 1"):
            model.stylize(array, style="wave", strength=strength)  # type: ignore[call-overload]


def test_half_strength_is_half_way(model: Stylizer) -> None:
    array = picture(40, 50, 3, np.float32)
    whole, half = (model.stylize(array, style="wave", strength=s) for s in (1, 0.5))
    np.testing.assert_allclose(half, (array + whole) / 2, atol=1e-5)
    mask = np.zeros((40, 50), np.uint8)
    mask[:20] = 255
    masked = model.stylize(array, style="wave", strength=0.5, mask=mask)
    assert np.array_equal(masked, np.where(mask[..., None] > 0, half, array))


def test_parts_that_are_painted_one_by_one_agree_where_they_are_measured_alike(
    model: Stylizer,
) -> None:
    array = picture(40, 600)
    whole, left = model.stylize(array, style="wave"), array[:, :400]
    alike = model.stylize(left, style=model.style("wave", like=array))
    reach = model.info.descriptor.radius + 24  # and what is continued at the border
    assert np.array_equal(alike[:, : 400 - reach], whole[:, : 400 - reach])
    assert not np.array_equal(model.stylize(left, style="wave"), alike)


def test_a_style_is_a_name_a_picture_or_a_mix(model: Stylizer, tmp_path: Path) -> None:
    array = picture(60, 80)
    file = tmp_path / "wave.png"
    Image.fromarray(array).save(file)
    codes = [model.style(x).code for x in (array, Image.fromarray(array), file, str(file))]
    assert all(np.array_equal(code, codes[0]) for code in codes)
    assert model.style(file).name == "wave"
    assert difference(model.style("wave").code, codes[0]) > 0.01
    mix = model.style({"wave": 7, file: 3})
    assert mix.name == "wave70-wave30"
    expected = 0.7 * model.style("wave").code + 0.3 * codes[0]
    np.testing.assert_allclose(mix.code, expected, atol=1e-6)
    for text in (f"wave:0.7,{file}:0.3", f" wave:1.4 , {file}:0.6"):
        assert np.array_equal(model.style(text).code, mix.code)
    np.testing.assert_allclose(
        model.style("wave,monet").code,
        (model.style("wave").code + model.style("monet").code) / 2,
        atol=1e-6,
    )
    assert model.style(mix) is mix


def test_a_stored_name_goes_before_a_file_and_a_file_before_a_mix(
    model: Stylizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("wave", "wave:0.7,monet:0.3"):
        Image.fromarray(picture(60, 80)).save(tmp_path / name, "PNG")
    stored, read = model.style("wave").code, model.style("./wave").code
    assert difference(stored, read) > 0.01
    assert np.array_equal(model.style("wave:0.7,monet:0.3").code, read)


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("wav", "Did you mean wave"),
        ("nothing-like-it", "It knows: wave, monet"),
        ("wave:0.5,moon:0.5", "no style 'moon'"),
        ("", "Is a variable of the shell empty?"),
        ("x" * 5000, "no style"),
        ("a\0b", "no style"),
        ("wave:-1,monet:2", "weights -1, 2"),
        ("wave:0", "weights 0"),
        ("wave:inf,monet:1", "weights inf, 1"),
        ("wave:nan", "weights nan"),
        ({}, "weights none"),
        ({"wave": -1.0}, "weights -1"),
        ({"wave": "x"}, "weights 'x'"),
        ({"wave": "0.5"}, "weights '0.5'"),
        ({"wave": None}, "weights None"),
        ({"wave": float("nan")}, "weights nan"),
        ({"wave": 10**400}, "weights 1000"),
        ({"wave": 1j}, "weights 1j"),
        (Style(np.full(8, np.nan, np.float32), "odd"), "'odd' has numbers that are none"),
        (Style(np.zeros(9, np.float32), "odd"), "of another model"),
        (Style(np.full(8, "x"), "odd"), "of another model"),
        (np.zeros((2, 40, 40, 3), np.uint8), "one picture"),
        (np.zeros((40, 40, 3), np.int32), "is no picture"),
    ],
)
def test_what_is_no_style_is_told(model: Stylizer, style: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        model.style(style)
    assert words in str(caught.value)
    assert "\n" not in caught.value.what


def _png(path: Path, array: np.ndarray, **options: Any) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def test_odd_pictures_of_styles(model: Stylizer, tmp_path: Path) -> None:
    grey = picture(50, 60, 1)
    same = [grey[..., 0], grey.repeat(3, 2), np.dstack([grey.repeat(3, 2), 255 + 0 * grey])]
    codes = [model.style(array).code for array in same]
    assert all(np.array_equal(code, codes[0]) for code in codes)
    clear = picture(50, 60, 4)
    clear[:25, :, 3], clear[25:, :, 3] = 0, 255
    white = np.where(clear[..., 3:] > 0, clear[..., :3], 255)
    files = [_png(tmp_path / "a.png", clear), _png(tmp_path / "b.png", white)]
    assert np.array_equal(*[model.style(file).code for file in files])
    first, second = (Image.fromarray(picture(50, 60 + extra)).resize((64, 64)) for extra in (0, 1))
    first.save(tmp_path / "c.png", save_all=True, append_images=[second])
    assert np.array_equal(model.style(tmp_path / "c.png").code, model.style(first).code)
    deep = picture(40, 40, 1, np.uint16)[..., 0] // 257 * 257
    expected = model.style((deep // 257).astype(np.uint8)).code
    assert np.array_equal(model.style(_png(tmp_path / "d.png", deep)).code, expected)


def test_small_and_long_pictures_of_styles(model: Stylizer) -> None:
    for height, width in ((16, 16), (16, 700), (256, 256), (1000, 2000), (20, 60_000)):
        array = picture(height, width)
        reduced = style_reduced(style_pixels(array))
        assert min(reduced.shape[:2]) >= 32
        assert np.prod(reduced.shape[:2]) <= max(256**2 * 1.01, 32 * max(height, width))
        assert np.isfinite(model.style(array).code).all()
    assert style_reduced(picture(256, 256)).shape == (256, 256, 3)
    assert style_reduced(picture(40, 50)).shape == (40, 50, 3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (15, 400), (400, 15)])
def test_pictures_too_small_for_a_style(
    model: Stylizer, tmp_path: Path, height: int, width: int
) -> None:
    file = _png(tmp_path / "a.png", picture(height, width))
    for style in (file, picture(height, width)):
        with pytest.raises(DataError, match=f"{width} x {height} pixels: too few"):
            model.style(style)


def test_large_pictures_of_styles_are_refused_or_reduced_while_read(
    model: Stylizer, tmp_path: Path
) -> None:
    whole = _png(tmp_path / "a.png", np.zeros((30, 30), np.uint8)).read_bytes()
    header = whole[12:16] + struct.pack(">II", 20_000, 6_000) + whole[24:29]
    check = struct.pack(">I", zlib.crc32(header))
    (tmp_path / "b.png").write_bytes(whole[:12] + header + check + whole[33:])
    with pytest.raises(DataError, match="limit of 100"):
        model.style(tmp_path / "b.png")
    large = Image.fromarray(picture(80, 100)).resize((10_000, 7_000))  # over 50 megapixels
    large.save(tmp_path / "c.jpg")
    large.save(tmp_path / "d.png", compress_level=0)
    jpeg, png = (style_pixels(tmp_path / name) for name in ("c.jpg", "d.png"))
    for pixels in (jpeg, png):
        assert 2 * STYLE_SIDE <= min(pixels.shape[:2]) < 4 * STYLE_SIDE
    assert (
        difference(model.style(tmp_path / "c.jpg").code, model.style(tmp_path / "d.png").code)
        < 0.02
    )


@pytest.mark.parametrize("content", [b"", b"hello" * 50, b"\x89PNG\r\n\x1a\n" + b"\0" * 60])
def test_broken_pictures_of_styles(model: Stylizer, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    for path in (tmp_path / "a.png", tmp_path, tmp_path / "absent.png"):
        with pytest.raises(DataError) as caught:
            model.style(path)
        assert "\n" not in caught.value.what


def test_names_that_are_no_file(model: Stylizer, tmp_path: Path) -> None:
    for folder in (tmp_path, str(tmp_path)):
        with pytest.raises(DataError, match="is a folder") as caught:
            model.style(folder)
        assert caught.value.hint == "Name one picture in it."
    for mask in (tmp_path / "no.png", tmp_path):
        with pytest.raises(DataError) as caught:
            model.stylize(picture(8, 8), style="wave", mask=mask)
        assert caught.value.hint == "Check the name."
    with pytest.raises(DataError, match=r"no\.png: No such file") as caught:
        model.style(tmp_path / "no.png")
    assert caught.value.hint == "Check the name."


def test_a_style_is_read_once_for_the_same_contents(model: Stylizer, tmp_path: Path) -> None:
    array = picture(70, 71)
    first = model.style(_png(tmp_path / "a.png", array))
    with patch.object(Session, "run", side_effect=AssertionError):
        again = model.style(Path(shutil.copy(tmp_path / "a.png", tmp_path / "b.png")))
    assert again.name == "b"
    assert np.array_equal(again.code, first.code)
    other = model.style(_png(tmp_path / "a.png", array[::-1].copy()))
    assert not np.array_equal(other.code, first.code)


def test_the_networks_of_four_styles_are_kept(folder: Path) -> None:
    model, made = opened(folder), []
    run = Session.run

    def counting(self: Session, inputs: dict[str, np.ndarray]) -> np.ndarray:
        made.extend([1] * ("code" in inputs))
        return run(self, inputs)

    array = picture(16, 16)
    with patch.object(Session, "run", counting):
        for weight in (1, 2, 3, 4, 1, 2, 5, 1, 3):
            model.stylize(array, style={"wave": 1, "monet": weight})
    assert len(made) == 6


def test_many_threads_get_what_they_asked_for(folder: Path) -> None:
    model, array = opened(folder), picture(40, 40)
    weights = list(range(1, 9)) * 3

    def stylized(weight: int) -> np.ndarray:
        return model.stylize(array, style={"wave": 1, "monet": weight})

    alone = [stylized(weight) for weight in weights]
    with ThreadPoolExecutor(8) as pool:
        assert all(map(np.array_equal, alone, pool.map(stylized, weights)))


def test_thumbnails_are_cells_of_the_samples(model: Stylizer, folder: Path, tmp_path: Path) -> None:
    for name, colour in zip(STYLES, ((255, 0, 0), (0, 255, 0)), strict=True):
        image = model.thumbnail(name)
        assert image.size == (CELL, CELL)
        assert (np.asarray(image) == colour).all()
    with pytest.raises(UsageError, match="no style 'moon'"):
        model.thumbnail("moon")
    other = shutil.copytree(folder, tmp_path / "other")
    Image.new("RGB", (100, 100)).save(other / "samples.png")
    with pytest.raises(VoluteError, match="no grid of 2 x 2 cells"):
        opened(other).thumbnail("wave")
    (other / "samples.png").unlink()
    with pytest.raises(VoluteError, match=r"no thumbnails: .*samples\.png: No such file") as caught:
        opened(other).thumbnail("wave")
    assert "Copy the whole folder again" in caught.value.hint


def test_masks_of_every_kind(model: Stylizer, tmp_path: Path) -> None:
    array = picture(40, 60)
    wanted = np.zeros((40, 60), bool)
    wanted[:, 30:] = True
    grey = wanted.astype(np.uint8) * 255
    full = model.stylize(array, style="wave")
    expected = np.where(wanted[..., None], full, array)
    masks = [wanted, grey, Image.fromarray(grey), _png(tmp_path / "m.png", grey)]
    masks += [np.dstack([grey * 0 + 255, grey]), wanted.astype(np.float32)]
    for mask in masks:
        assert np.array_equal(model.stylize(array, style="wave", mask=mask), expected)
    with pytest.raises(UsageError, match="mask has 60 x 30"):
        model.stylize(array, style="wave", mask=grey[:30])
    with pytest.raises(UsageError, match="one picture"):
        model.stylize(array, style="wave", mask=np.zeros((2, 40, 60, 3), np.uint8))


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.int64), np.zeros(4), np.zeros((0, 4))])
def test_what_is_no_picture_is_refused(model: Stylizer, array: np.ndarray) -> None:
    with pytest.raises(UsageError, match="is no picture"):
        model.stylize(array, style="wave")
    with pytest.raises(UsageError, match="5 bands"):
        model.stylize(np.zeros((8, 8, 5), np.uint8), style="wave")
    with pytest.raises(UsageError, match="too little"):
        model.stylize(np.zeros((4, 4)), style="wave", memory=1000)


def test_a_number_that_is_none_stays_alone(model: Stylizer) -> None:
    array = picture(20, 20, 1, np.float32)
    array[10, 10] = np.nan
    assert np.isnan(model.stylize(array, style="wave")).sum() == 1


def test_a_model_without_encoder_knows_its_own_styles_alone(folder: Path, tmp_path: Path) -> None:
    graphs = {role: f"{role}.onnx" for role in ("modulator", "stylizer")}
    own = opened(changed(folder, tmp_path / "own", graphs=graphs))
    assert own.stylize(picture(16, 16), style="wave:1,monet:1").shape == (16, 16, 3)
    with pytest.raises(UsageError, match="no style encoder"):
        own.style(picture(40, 40))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"styles": ["wave", "wave"]}, "one name"),
        ({"styles": ["a:b", "c"]}, "styles.0"),
        ({"styles": ["", "c"]}, "styles.0"),
        ({"styles": ["wave"]}, "do not fit"),
        ({"styles": [], "graphs": {"stylizer": "stylizer.onnx"}}, "styles or an encoder"),
        ({"graphs": {"encoder": "encoder.onnx"}}, "no modulator graph"),
    ],
)
def test_damaged_configurations(
    folder: Path, tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(VoluteError, match=words):
        opened(changed(folder, tmp_path / "bad", **values))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"channels": 1}, "3 channels"),
        ({"size": 64}, "any size"),
        ({"scale": 2}, "any size"),
        ({"radius": 41}, "multiple"),
        ({"radius": 4104}, "radius = 4104: .* at most 4096 pixels"),
        ({"radius": 1 << 62}, "at most 4096 pixels"),
    ],
)
def test_descriptors_that_cannot_be(
    folder: Path, tmp_path: Path, about: dict[str, int], words: str
) -> None:
    descriptor = opened(folder).info.descriptor.model_dump(mode="json") | about
    with pytest.raises(VoluteError, match=words):
        opened(changed(folder, tmp_path / "bad", descriptor=descriptor))


def test_codes_that_are_no_numbers(folder: Path, tmp_path: Path) -> None:
    bad = changed(folder, tmp_path / "bad")
    tensors = load_file(bad / "weights.safetensors")
    tensors["styles.codes"] *= np.float32(np.nan)
    save_file(tensors, bad / "weights.safetensors")
    with pytest.raises(VoluteError, match="codes"):
        opened(bad)


def _hostile(folder: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    file = folder / "stylizer.onnx"
    graph = onnx.load(file, load_external_data=False)
    change(graph)
    file.write_bytes(graph.SerializeToString())


def _elsewhere(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(graph: onnx.ModelProto) -> None:
        entries = graph.graph.initializer[0].external_data
        next(entry for entry in entries if entry.key == "location").value = location

    return change


def _moved(graph: onnx.ModelProto) -> None:
    entries = graph.graph.initializer[0].external_data
    next(entry for entry in entries if entry.key == "offset").value = "1000000"


@pytest.mark.parametrize(
    "change",
    [
        _elsewhere("weights.safetensors"),
        _elsewhere("../secret.bin"),
        _elsewhere("/etc/hostname"),
        _elsewhere("*/_ORT_MEM_ADDR_/*"),
        _elsewhere(""),
        _moved,
    ],
)
def test_a_graph_that_reads_elsewhere_is_one_line(
    folder: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], None]
) -> None:
    bad = shutil.copytree(folder, tmp_path / "bad")
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 16))
    _hostile(bad, change)
    with pytest.raises(VoluteError, match=r"stylizer\.onnx is not a graph") as caught:
        opened(bad).stylize(picture(16, 16), style="wave")
    assert "\n" not in caught.value.what


def test_a_graph_that_makes_another_size_is_told(folder: Path, tmp_path: Path) -> None:
    bad = shutil.copytree(folder, tmp_path / "bad")

    def halved(graph: onnx.ModelProto) -> None:
        (output,) = graph.graph.output
        last = graph.graph.node[-1]
        last.output[0] = "full"
        pool = onnx.helper.make_node(
            "AveragePool", ["full"], [output.name], kernel_shape=[2, 2], strides=[2, 2]
        )
        graph.graph.node.append(pool)

    _hostile(bad, halved)
    with pytest.raises(VoluteError, match=r"made \[1, 3, 24, 24\] of \[1, 3, 48, 48\]"):
        opened(bad).stylize(picture(16, 16), style="wave")


@pytest.mark.parametrize("width", ["x", None, -5, 0, 1 << 40, [8], 1e300, float("inf"), True])
def test_a_width_that_is_none_changes_nothing(folder: Path, tmp_path: Path, width: Any) -> None:
    array = picture(40, 40)
    odd = opened(changed(folder, tmp_path / "odd", settings={"width": width}))
    assert np.array_equal(
        odd.stylize(array, style="wave"), opened(folder).stylize(array, style="wave")
    )


def _last(op: str, **attributes: Any) -> Callable[[onnx.ModelProto], None]:
    def change(graph: onnx.ModelProto) -> None:
        (output,) = graph.graph.output
        graph.graph.node[-1].output[0] = "full"
        node = onnx.helper.make_node(op, ["full"], [output.name], **attributes)
        graph.graph.node.append(node)
        output.type.tensor_type.elem_type = attributes.get("to", onnx.TensorProto.FLOAT)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_last("Cast", to=onnx.TensorProto.DOUBLE), "made float64 instead of float32"),
        (_last("Cast", to=onnx.TensorProto.BOOL), "made bool instead of float32"),
        (_last("Log"), "made numbers that are none"),
    ],
)
def test_a_graph_that_makes_what_is_no_picture_is_told(
    folder: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], None], words: str
) -> None:
    bad = shutil.copytree(folder, tmp_path / "bad")
    _hostile(bad, change)
    with pytest.raises(VoluteError, match=words) as caught:
        opened(bad).stylize(picture(16, 16), style="wave")
    assert "\n" not in caught.value.what
