import hashlib
from pathlib import Path

import numpy as np
import pytest

from make_artefact import make_extractor
from realdata import real_data
from volute.errors import UsageError, VoluteError
from volute.measure.features import OnnxExtractor, cached_features
from volute.measure.frechet import frechet_distance


@pytest.fixture(scope="module")
def extractor() -> OnnxExtractor:
    return OnnxExtractor(real_data("perceptual/mobilenetv2_trunk.onnx"))


def noise(n: int, side: int, channels: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def test_it_names_itself_by_the_file_and_its_hash(extractor: OnnxExtractor) -> None:
    content = real_data("perceptual/mobilenetv2_trunk.onnx").read_bytes()
    assert extractor.name == "mobilenetv2_trunk"
    assert extractor.sha256 == hashlib.sha256(content).hexdigest()
    assert extractor.dimension == 1280


def test_features_do_not_depend_on_the_batch_a_picture_is_in(extractor: OnnxExtractor) -> None:
    pictures = noise(11, 28, 1)
    features = extractor(pictures)
    assert features.shape == (11, 1280)
    assert features.dtype == np.float32
    np.testing.assert_allclose(extractor(pictures[9:10])[0], features[9], rtol=1e-3, atol=1e-4)


def test_grey_rgb_and_opaque_rgba_of_one_picture_agree(extractor: OnnxExtractor) -> None:
    grey = noise(2, 32, 1)
    rgb = grey.repeat(3, axis=-1)
    rgba = np.concatenate([rgb, np.full_like(grey, 255)], axis=-1)
    np.testing.assert_array_equal(extractor(grey), extractor(rgb))
    np.testing.assert_array_equal(extractor(grey), extractor(rgba))


def test_what_is_transparent_is_white(extractor: OnnxExtractor) -> None:
    clear = noise(1, 16, 4)
    clear[..., 3] = 0
    np.testing.assert_array_equal(
        extractor(clear), extractor(np.full((1, 16, 16, 3), 255, np.uint8))
    )


def test_real_garments_lie_nearer_to_garments_than_to_noise(extractor: OnnxExtractor) -> None:
    with np.load(real_data("fashion_mnist.npz")) as data:
        train, test = data["x_train"][:20, ..., None], data["x_test"][:20, ..., None]
    garments = extractor(test)
    near = frechet_distance(extractor(train), garments)
    assert near < frechet_distance(extractor(noise(20, 28, 1)), garments)


class Counting:
    name, sha256, dimension = "mean", "00", 1

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        self.calls += 1
        return pictures.reshape(len(pictures), -1).mean(1, keepdims=True, dtype=np.float32)


def test_cached_features_are_made_once_per_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path))
    counting, pictures = Counting(), noise(5, 8, 3)
    first = cached_features(counting, pictures)
    np.testing.assert_array_equal(cached_features(counting, pictures.copy()), first)
    assert counting.calls == 1
    cached_features(counting, 255 - pictures)
    cached_features(counting, pictures.reshape(5, 4, 16, 3))
    assert counting.calls == 3


def test_a_file_that_is_no_extractor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        OnnxExtractor(tmp_path / "absent.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(VoluteError, match="not a graph"):
        OnnxExtractor(broken)


def test_the_hash_is_of_the_weights_too_where_they_lie_beside_the_graph(tmp_path: Path) -> None:
    path = make_extractor(tmp_path / "trunk.onnx")
    before = OnnxExtractor(path).sha256
    (tmp_path / "unrelated.txt").write_text("of no matter")
    assert OnnxExtractor(path).sha256 == before
    weights = tmp_path / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4:] = bytes(4)
    weights.write_bytes(content)
    assert OnnxExtractor(path).sha256 != before
