"""What a person may choose about the data; everything else follows from the pictures."""

from __future__ import annotations

from typing import Literal

from volute.config import Config


class DataSettings(Config):
    """The `data` table of a run's configuration."""

    mode: Literal["auto", "L", "RGB", "RGBA"] = "auto"
    """Colours; auto: L if every picture is grey, RGBA if most have transparency, else RGB."""
    crop: Literal["centre", "tiles"] = "centre"
    """centre: the centre square, resized; tiles: cut into squares without resizing."""
    classes: tuple[str, ...] = ()
    """Names of the numbered labels 0, 1, 2, ... of an npz file."""
    labels: bool = True
    """Use subfolders, or the labels of an npz file, as classes."""
    keep: bool = False
    """Leave nothing out but what cannot be read, at any size: to be measured, not learned from."""
