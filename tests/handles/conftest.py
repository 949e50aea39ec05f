from __future__ import annotations

from pathlib import Path

import pytest

from make_artefact import make_gan, make_vae
from volute.handles import Autoencoder, Generator


@pytest.fixture(scope="session")
def gan(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """An unconditional RGB GAN."""
    return Generator(make_gan(tmp_path_factory.mktemp("gan") / "tiny-gan", channels=3))


@pytest.fixture(scope="session")
def classed(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """A grey GAN with three classes."""
    folder: Path = tmp_path_factory.mktemp("gan") / "tiny-classes"
    return Generator(make_gan(folder, classes=("bag", "coat", "7")))


@pytest.fixture(scope="session")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """A grey autoencoder with a mixture on its first latent dimensions."""
    return Autoencoder(make_vae(tmp_path_factory.mktemp("vae") / "tiny-vae"))


@pytest.fixture(scope="session")
def rgb_vae(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """An RGB autoencoder without a density."""
    folder = tmp_path_factory.mktemp("vae") / "tiny-rgb"
    return Autoencoder(make_vae(folder, channels=3, density=False))
