"""One file a kind: networks, objective, one step, presets. `KINDS` is the table of them."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from volute.config import Config, merged, nearest
from volute.data.labelled import holds_texts
from volute.data.text import lasting
from volute.errors import UsageError
from volute.recipes import (
    classify,
    classify_text,
    detector,
    detector_settings,
    extractor,
    gan,
    gan_settings,
    lm,
    lm_settings,
    style,
    style_settings,
    upscale,
    upscale_settings,
    vae,
    watermark,
    watermark_settings,
)
from volute.training.device import Device
from volute.training.recipe import DataFacts, Recipe


@dataclass(frozen=True)
class Kind:
    """A kind of network: its settings, its presets (from small to large) and its recipe."""

    settings: type[Config]
    presets: dict[str, dict[str, object]]
    recipe: type[Any]
    tile: int = 0
    """Side in px of the tiles that it learns from; 0: it learns from whole pictures."""
    examples: str = ""
    """The setting that takes what a person gives; the pictures are then those of `content`."""
    text: bool = False
    """It learns from texts, not from pictures."""


KINDS = {
    "gan": Kind(gan_settings.GanSettings, gan_settings.PRESETS, gan.GanRecipe),
    "vae": Kind(vae.VaeSettings, vae.PRESETS, vae.VaeRecipe),
    "classify": Kind(classify.ClassifySettings, classify.PRESETS, classify.ClassifyRecipe),
    "extractor": Kind(extractor.ExtractorSettings, extractor.PRESETS, extractor.ExtractorRecipe),
    "upscale": Kind(
        upscale_settings.UpscaleSettings, upscale_settings.PRESETS, upscale.UpscaleRecipe, tile=192
    ),
    "watermark": Kind(
        watermark_settings.WatermarkSettings,
        watermark_settings.PRESETS,
        watermark.WatermarkRecipe,
        tile=256,
    ),
    "detector": Kind(
        detector_settings.DetectorSettings,
        detector_settings.PRESETS,
        detector.DetectorRecipe,
        tile=256,
    ),
    "lm": Kind(
        lm_settings.LmSettings, lm_settings.PRESETS, lm.LmRecipe, examples="texts", text=True
    ),
    "style": Kind(
        style_settings.StyleSettings, style_settings.PRESETS, style.StyleRecipe, 256, "styles"
    ),
}

TEXTS = "texts"
"""The setting that names texts."""
OF_TEXTS = {
    "classify": Kind(
        classify_text.ClassifyTextSettings,
        classify_text.PRESETS,
        classify_text.ClassifyTextRecipe,
        examples=TEXTS,
        text=True,
    )
}
"""What learns from pictures or from texts, as it is given them: the latter."""
CONTENT = "scenes"
"""What is painted where nothing is given: procedural pictures."""


def kind_of(name: str, settings: Container[str] = ()) -> Kind:
    """Return the kind called `name`, or raise UsageError with the nearest.

    Where it is one of pictures and one of texts, it is that of texts if `settings` name some.
    """
    if name in OF_TEXTS and TEXTS in settings:
        return OF_TEXTS[name]
    if name not in KINDS:
        hint = nearest(name, KINDS) or f"Kinds: {', '.join(KINDS)}"
        raise UsageError(f"volute cannot train {name!r}", hint)
    return KINDS[name]


def given(name: str, inputs: Sequence[str | Path], settings: dict[str, Any]) -> str | Path:
    """Return where the pictures come from; what is learned from examples takes them as a setting.

    Raises:
        UsageError: for several inputs where one is read.
    """
    paths = [Path(path) for path in inputs]
    if name in OF_TEXTS and paths and all(holds_texts(path) for path in paths):
        settings.setdefault(TEXTS, [str(path.resolve()) for path in paths])
    kind = kind_of(name, settings)
    if kind.examples and kind.examples not in settings:
        if kind.text:
            settings[kind.examples] = [str(lasting(path)) for path in paths]
            return Path(settings[kind.examples][0])
        settings[kind.examples] = [str(path) for path in inputs]
        return settings.pop("content", "") or CONTENT
    if len(inputs) != 1:
        tars = all(path.suffix == ".tar" for path in paths)
        hint = "Several tars are one set by a pattern, in quotes: 'photos-{000..099}.tar'"
        what = f"{name} learns from one folder, zip, tar or npz, not {len(inputs)}"
        raise UsageError(what, hint if tars else "")
    return inputs[0]


def examples_key(name: str, settings: dict[str, Any]) -> str:
    """Return what tells examples from others: a digest of their files, or nothing."""
    kind = kind_of(name, settings)
    if kind.text or not kind.examples:
        return ""
    digest = hashlib.sha256()
    for path in settings.get(kind.examples, ()):
        if not Path(path).is_file():
            raise UsageError(f"there is no painting {path}", "Check the name.")
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return f"-{digest.hexdigest()[:16]}"


def default_preset(name: str, device: Device, size: int) -> str:
    """Return the preset that suits: the smallest on a CPU; on a GPU the next, or after 32 px."""
    presets = list(kind_of(name).presets)
    if device.torch.type == "cpu" or kind_of(name).examples:
        return presets[0]
    return presets[1] if size <= 32 or len(presets) < 4 else presets[2]


def resolve_settings(name: str, preset: str, over: dict[str, Any]) -> Config:
    """Return the settings of a kind: the preset's row with `over` on top."""
    kind = kind_of(name, over)
    if preset not in kind.presets:
        hint = nearest(preset, kind.presets) or f"Presets: {', '.join(kind.presets)}"
        raise UsageError(f"{name} has no preset {preset!r}", hint)
    return kind.settings.make(merged(kind.presets[preset], over))


def create(name: str, settings: Config, facts: DataFacts, device: Device, seed: int = 0) -> Recipe:
    """Make the recipe, its networks drawn from `seed`."""
    return kind_of(name, type(settings).model_fields).recipe(settings, facts, device, seed)
