"""`Generator`: the handle of a `gan` artefact."""

from __future__ import annotations

from volute.handles.sampling import Sampler


class Generator(Sampler):
    """The generator of a GAN: `sample`, `interpolate`, `latents`, `decode`."""

    role = "generator"
