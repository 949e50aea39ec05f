from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from PIL import Image
from safetensors.numpy import save

from make_artefact import LATENT, SIZE, config, make_gan, to_onnx
from volute.engine.artefact import write_artefact
from volute.errors import UsageError, VoluteError
from volute.handles import Generator, load


def as_bytes(images: list[Image.Image]) -> list[bytes]:
    return [image.tobytes() for image in images]


def test_samples_are_pictures(gan: Generator, classed: Generator) -> None:
    pictures = gan.sample(3)
    assert [(picture.size, picture.mode) for picture in pictures] == [((SIZE, SIZE), "RGB")] * 3
    assert len(set(as_bytes(pictures))) == 3
    assert classed.sample()[0].mode == "L"
    arrays = gan.arrays(3)
    assert arrays.dtype == np.uint8
    assert arrays.shape == (3, SIZE, SIZE, 3)
    assert as_bytes(pictures) == [array.tobytes() for array in arrays]


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 64), seed=st.integers(0, 2**40), truncation=st.floats(0.01, 1))
def test_sample_i_depends_on_seed_and_i_alone(
    gan: Generator, classed: Generator, n: int, seed: int, truncation: float
) -> None:
    for model in (gan, classed):
        many = as_bytes(model.sample(64, seed=seed, truncation=truncation))
        assert as_bytes(model.sample(n, seed=seed, truncation=truncation)) == many[:n]


def test_another_load_gives_the_same_bytes(gan: Generator) -> None:
    again = load(gan._artefact.path, threads=1)
    assert as_bytes(again.sample(20, seed=3)) == as_bytes(gan.sample(20, seed=3))


def test_decoding_the_latents_gives_the_samples(gan: Generator, classed: Generator) -> None:
    latents = gan.latents(5, seed=2, truncation=0.7)
    assert latents.shape == (5, LATENT)
    assert as_bytes(gan.decode(latents)) == as_bytes(gan.sample(5, seed=2, truncation=0.7))
    latents = classed.latents(2, seed=2)
    assert as_bytes(classed.decode(latents, classes=[1, "bag"])) == as_bytes(
        classed.sample(2, seed=2, classes=["coat", 0])
    )


def test_classes_by_name_index_and_in_turn(classed: Generator) -> None:
    assert classed.classes == ("bag", "coat", "7")
    coats = as_bytes(classed.sample(4, classes="coat"))
    assert as_bytes(classed.sample(4, classes=1)) == coats
    assert as_bytes(classed.sample(4, classes=["1"])) == coats
    turns = as_bytes(classed.sample(4, classes=["bag", "coat"]))
    assert turns[1::2] == coats[1::2]
    assert turns[0] != coats[0]
    assert classed.labels(3, classes="7").tolist() == [2, 2, 2]


def test_random_classes_come_from_the_seed(classed: Generator) -> None:
    drawn = classed.labels(60, seed=5)
    assert set(drawn.tolist()) == {0, 1, 2}
    assert drawn[:7].tolist() == classed.labels(7, seed=5).tolist()
    chosen = [classed.classes[label] for label in drawn[:9]]
    assert as_bytes(classed.sample(9, seed=5)) == as_bytes(
        classed.sample(9, seed=5, classes=chosen)
    )


@pytest.mark.parametrize("wanted", ["boot", 3, -1, "3", "", "²", "Bagg"])
def test_unknown_classes(classed: Generator, wanted: str | int) -> None:
    with pytest.raises(UsageError, match=f"has no class {wanted}"):
        classed.sample(1, classes=wanted)


def test_classes_where_they_cannot_be(gan: Generator, classed: Generator) -> None:
    with pytest.raises(UsageError, match="tiny-gan has no classes"):
        gan.sample(1, classes="bag")
    with pytest.raises(UsageError, match="classes is empty"):
        classed.sample(1, classes=[])
    with pytest.raises(UsageError, match="needs classes"):
        classed.decode(classed.latents(1))


def test_settings_out_of_range(gan: Generator) -> None:
    for bad in ({"n": 0}, {"seed": -1}, {"truncation": 0}, {"truncation": 1.5}):
        with pytest.raises(UsageError):
            gan.sample(**{"n": 1, **bad})
    for bad in ({"n": 1}, {"steps": 0}):
        with pytest.raises(UsageError, match="a walk needs"):
            gan.interpolate(**bad)
    with pytest.raises(TypeError, match="colour"):
        gan.sample(1, colour="red")
    with pytest.raises(TypeError):
        gan.sample(1, 7)


@pytest.mark.parametrize("shape", [(LATENT,), (2, LATENT + 1), (0, LATENT), (1, 1, LATENT)])
def test_latents_of_another_shape(gan: Generator, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="latents have shape"):
        gan.decode(np.zeros(shape))


def test_a_walk_goes_through_the_samples(gan: Generator) -> None:
    frames = as_bytes(gan.interpolate(3, steps=4, seed=1))
    assert len(frames) == 12
    assert frames[::4] == as_bytes(gan.sample(3, seed=1))
    assert len(gan.interpolate(3, steps=4, loop=False)) == 9


def test_a_walk_keeps_its_class_or_changes_half_way(classed: Generator) -> None:
    keys = classed.latents(2, seed=1)
    (label,) = classed.labels(1, seed=1)
    frames = as_bytes(classed.interpolate(2, steps=4, seed=1))
    assert frames[4:5] == as_bytes(classed.decode(keys[1:], classes=int(label)))
    frames = as_bytes(classed.interpolate(2, steps=4, seed=1, classes=["bag", "7"]))
    assert frames[4:5] == as_bytes(classed.decode(keys[1:], classes="7"))
    assert frames[:1] == as_bytes(classed.decode(keys[:1], classes="bag"))


def constant_gan(path: Path, shape: list[int], value: float) -> Generator:
    """A generator that ignores its latent."""
    nodes = [
        helper.make_node("Reshape", ["fill", "shape"], ["r"]),
        helper.make_node("Identity", ["r"], ["picture"]),
    ]
    constants = {
        "fill": np.full(shape, value, np.float32),
        "shape": np.array(shape, np.int64),
    }
    inputs = {"latent": (TensorProto.FLOAT, ["n", LATENT])}
    graph = to_onnx(nodes, inputs, ("picture", ["n", "c", "h", "w"]), {}, constants, save({}))
    about = config("gan", "constant")
    return Generator(write_artefact(path, about, {"generator": graph}, {}, {}, None, {}))


def test_a_graph_of_another_size_than_promised(tmp_path: Path) -> None:
    with pytest.raises(VoluteError, match=r"gave pictures of shape \[1, 8, 8\]"):
        constant_gan(tmp_path / "m", [1, 1, 8, 8], 0).sample()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_graph_that_gives_no_numbers(tmp_path: Path, value: float) -> None:
    with pytest.raises(VoluteError, match="values that are not numbers"):
        constant_gan(tmp_path / "m", [1, 1, SIZE, SIZE], value).sample()


def test_transparent_pictures(tmp_path: Path) -> None:
    model = Generator(make_gan(tmp_path / "m", channels=4))
    assert model.sample()[0].mode == "RGBA"


def test_classes_are_found_whatever_their_case(classed: Generator) -> None:
    assert classed.labels(2, classes=["BAG", "Coat"]).tolist() == [0, 1]


def test_a_stream_gives_the_samples_with_their_classes(classed: Generator) -> None:
    pairs = list(classed.stream(40, seed=3))
    images = [np.asarray(image) for image, _ in pairs]
    np.testing.assert_array_equal(images, classed.arrays(40, seed=3)[..., 0])
    labels = classed.labels(40, seed=3)
    assert labels is not None
    assert [name for _, name in pairs] == [classed.classes[label] for label in labels]


def test_a_stream_holds_a_block_at_a_time(gan: Generator) -> None:
    """A million pictures are no more work than those that are taken."""
    first = next(iter(gan.stream(1_000_000, seed=3)))[0]
    np.testing.assert_array_equal(np.asarray(first), np.asarray(gan.sample(1, seed=3)[0]))
