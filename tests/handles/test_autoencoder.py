from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_artefact import BLOCKS, MIXED, SIZE, make_vae
from volute.errors import DataError, UsageError, VoluteError
from volute.handles import Autoencoder


def blocks(channels: int, seed: int = 0) -> np.ndarray:
    """A 16 px picture that the autoencoder gives back exactly: 4 x 4 flat blocks."""
    small = np.random.default_rng(seed).integers(0, 256, (BLOCKS, BLOCKS, channels), np.uint8)
    return np.repeat(np.repeat(small, 4, 0), 4, 1)


def test_reconstruction_of_what_it_can_hold(vae: Autoencoder, rgb_vae: Autoencoder) -> None:
    grey, colour = blocks(1), blocks(3)
    np.testing.assert_array_equal(vae.reconstruct(grey), grey)
    np.testing.assert_array_equal(vae.reconstruct(grey[..., 0]), grey[..., 0])
    np.testing.assert_array_equal(rgb_vae.reconstruct(colour), colour)


def test_the_same_kind_comes_out(rgb_vae: Autoencoder, tmp_path: Path) -> None:
    image = Image.fromarray(blocks(3))
    image.save(tmp_path / "x.png")
    for given in (tmp_path / "x.png", str(tmp_path / "x.png"), image):
        assert rgb_vae.reconstruct(given).tobytes() == image.tobytes()
    assert rgb_vae.reconstruct(Image.new("L", (20, 30))).mode == "L"
    floats = rgb_vae.reconstruct(blocks(3).astype(np.float32) / 255)
    np.testing.assert_allclose(floats, blocks(3) / 255, atol=1e-6)
    wide = rgb_vae.reconstruct(blocks(3) * np.uint16(257))
    assert wide.dtype == np.uint16
    np.testing.assert_array_equal(wide, blocks(3) * np.uint16(257))


def test_many_pictures(rgb_vae: Autoencoder) -> None:
    batch = np.stack([blocks(3, seed) for seed in range(40)])
    np.testing.assert_array_equal(rgb_vae.reconstruct(batch), batch)
    listed = rgb_vae.reconstruct([batch[0], Image.fromarray(batch[1])])
    assert isinstance(listed, list)
    assert listed[1].tobytes() == batch[1].tobytes()


def test_other_sizes_are_cropped_and_resized(rgb_vae: Autoencoder) -> None:
    assert rgb_vae.reconstruct(Image.new("RGB", (100, 37))).size == (SIZE, SIZE)
    assert rgb_vae.reconstruct(np.zeros((50, 40, 3), np.uint8)).shape == (SIZE, SIZE, 3)


def test_encode_and_decode_are_the_reconstruction(vae: Autoencoder) -> None:
    latents = vae.encode([blocks(1), blocks(1, 5)])
    assert latents.shape == (2, BLOCKS * BLOCKS)
    assert latents.dtype == np.float32
    expected = [blocks(1)[..., 0].tobytes(), blocks(1, 5)[..., 0].tobytes()]
    assert [image.tobytes() for image in vae.decode(latents)] == expected


def test_samples_come_from_the_density(vae: Autoencoder) -> None:
    draws = vae.latents(3000, seed=1)
    stored = vae._artefact.tensors(["density.means", "density.weights"])
    expected = stored["density.weights"] @ stored["density.means"]
    np.testing.assert_allclose(draws[:, :MIXED].mean(0), expected, atol=0.15)
    assert abs(draws[:, MIXED:].std() - 1) < 0.02
    first = [image.tobytes() for image in vae.sample(30, seed=1)]
    assert [image.tobytes() for image in vae.sample(7, seed=1)] == first[:7]


def test_without_a_density_latents_are_normal(rgb_vae: Autoencoder) -> None:
    assert abs(rgb_vae.latents(300).std() - 1) < 0.02


def test_a_walk_goes_through_the_samples(vae: Autoencoder) -> None:
    frames = vae.interpolate(2, steps=3, seed=4)
    assert len(frames) == 6
    assert frames[3].tobytes() == vae.sample(2, seed=4)[1].tobytes()


def test_it_takes_no_class(vae: Autoencoder) -> None:
    assert vae.classes == ()
    with pytest.raises(UsageError, match="has no classes"):
        vae.sample(1, classes=0)


def test_a_file_that_is_no_picture(vae: Autoencoder, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match=r"x\.png"):
        vae.reconstruct(tmp_path / "x.png")


def test_an_encoder_of_another_length_than_promised(tmp_path: Path) -> None:
    made = make_vae(tmp_path / "m", density=False)
    config = made.path / "config.json"
    config.write_text(config.read_text().replace('"latent": 16', '"latent": 17'))
    from volute.handles import load

    with pytest.raises(VoluteError, match=r"gave latents of shape \[1, 16\]"):
        load(made.path).encode(blocks(1))
