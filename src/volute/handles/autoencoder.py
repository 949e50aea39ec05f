"""`Autoencoder`: the handle of a `vae` artefact."""

from __future__ import annotations

from typing import Any

import numpy as np

from volute.engine.artefact import Artefact
from volute.engine.session import Engine
from volute.errors import VoluteError
from volute.handles.pictures import Pictures, opened, squared, to_floats
from volute.handles.sampling import BATCH, Sampler


class Autoencoder(Sampler):
    """A variational autoencoder: all that a `Sampler` can, and `encode` and `reconstruct`.

    New pictures come from the density that was fitted to the codes of the training pictures: a
    Gaussian mixture on the first `info.density` latent dimensions, standard normal on the rest.
    """

    role = "decoder"

    def __init__(
        self, artefact: Artefact, threads: int | None = None, engine: Engine | None = None
    ) -> None:
        super().__init__(artefact, threads, engine)
        self._encoder = self.session("encoder", threads)

    @property
    def classes(self) -> tuple[str, ...]:
        """Empty: an autoencoder takes no class."""
        return ()

    def encode(self, pictures: Pictures) -> np.ndarray:
        """Return the latent vector of each picture: float32 [n, latent].

        Args:
            pictures: one or more, as in `reconstruct`.
        """
        return self._encode(opened(pictures)[0])

    def reconstruct(self, pictures: Pictures) -> Any:
        """Return pictures as the model sees them: encoded to latents and decoded again.

        Each is cropped to its central square and resized to the model's size, and so are the
        results. One picture in, one out; a list in, a list out.

        Args:
            pictures: a path, a PIL picture, an array ([H, W], [H, W, C] or [n, H, W, C]; uint8,
                uint16, or float in [0, 1] or [-1, 1]), or a list of such single pictures.

        Returns:
            The kind that was given: PIL pictures for paths and for PIL pictures, these in their
            mode where it can be kept (palettes become RGB); arrays in their dtype, range and
            number of channels. Values go through 8 bits.

        Raises:
            UsageError: for what is no picture.
            DataError: if a file cannot be read.
        """
        pixels, restore = opened(pictures)
        return restore(self._decode(self._encode(pixels), None))

    def _encode(self, pixels: list[np.ndarray]) -> np.ndarray:
        about, blocks = self.info.descriptor, []
        for start in range(0, len(pixels), BATCH):
            block = pixels[start : start + BATCH]
            ready = np.stack([squared(array, about.size, about.channels) for array in block])
            blocks.append(self._encoder.run({"picture": to_floats(ready)}))
        latents = np.concatenate(blocks)
        if latents.shape != (len(pixels), self.info.latent):
            expected = [len(pixels), self.info.latent]
            reason = f"latents of shape {list(latents.shape)}; config.json says {expected}"
            raise VoluteError(f"{self._encoder.path} gave {reason}")
        return latents
