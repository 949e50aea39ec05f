"""How the pixels of a film become RGB and go back.

They pass with the matrix and the range that the film names. One that names no matrix is read as
players do, by its size: BT.709 from 720 lines or 1280 columns, else BT.601. What was taken is
written into the new film, which its size alone might put on the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from volute.errors import DataError
from volute.media.video_source import Decoder, import_av, opened, packets, video_of

if TYPE_CHECKING:
    from av import VideoFrame

RGB, BT709, _UNKNOWN, _BT601 = 0, 1, 2, 6
LIMITED, FULL = 1, 2

_MATRICES = (RGB, BT709, 4, 5, _BT601, 7, 9)
_EXACT: dict[str, Any] = {
    "interpolation": 4 | 0x2000 | 0x4000 | 0x40000
}  # bicubic, full chroma, exact rounding


class Colours:
    """How the pixels of a film become RGB and back."""

    def __init__(self, frame: VideoFrame) -> None:
        name = frame.format.name
        self.deep = any(component.bits > 8 for component in frame.format.components)
        self.alpha = has_alpha(name)
        self.rgb = frame.format.is_rgb or name == "pal8"
        self.range = FULL if "yuvj" in name or frame.color_range == FULL or self.rgb else LIMITED
        self.matrix = RGB if self.rgb else int(frame.colorspace)
        if not self.rgb and self.matrix in (RGB, _UNKNOWN):
            large = frame.height >= 720 or frame.width >= 1280
            self.matrix = BT709 if large else _BT601
        if self.matrix not in _MATRICES:
            raise DataError("its colour matrix is not one that can be turned into RGB")
        if self.deep:
            self.layout = "rgba64le" if self.alpha else "rgb48le"
        else:
            self.layout = "rgba" if self.alpha else "rgb24"
        av = import_av()
        self._in = av.video.reformatter.VideoReformatter()
        self._out = av.video.reformatter.VideoReformatter()

    def array(self, frame: VideoFrame) -> np.ndarray:
        """Return the frame as [C, H, W], uint8 or uint16; C is 3, or 4 with alpha."""
        made = self._in.reformat(
            frame,
            format=self.layout,
            src_colorspace=self.matrix,
            dst_colorspace=self.matrix,
            src_color_range=self.range,
            dst_color_range=FULL,
            **_EXACT,
        )
        return np.ascontiguousarray(made.to_ndarray().transpose(2, 0, 1))

    def frame(self, array_CHW: np.ndarray, name: str, matrix: int, span: int) -> VideoFrame:
        """Return a frame in the pixel format `name` from what was made of what `array` gave."""
        av = import_av()
        array_HWC = np.ascontiguousarray(array_CHW.transpose(1, 2, 0))
        plain = av.VideoFrame.from_ndarray(array_HWC, format=self.layout)
        plain.colorspace, plain.color_range = matrix, FULL
        return self._out.reformat(
            plain,
            format=name,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=FULL,
            dst_color_range=span,
            **_EXACT,
        )


def frames_of(source: Path, step: int, most: int) -> Iterator[np.ndarray]:
    """Yield every `step`-th frame of a film from its first, `most` at most: [H, W, C] as `array`.

    Raises:
        DataError: it is no film, or damaged so far.
        MissingExtraError: there is nothing to decode it with.
    """
    with opened(source) as film:
        stream = video_of(film, source)
        decoder, colours, count = Decoder(stream, source), None, 0
        for packet in packets(film, source):
            for frame in decoder.frames(packet) if packet.stream is stream else ():
                if count % step == 0:
                    colours = colours or Colours(frame)
                    yield colours.array(frame).transpose(1, 2, 0)
                count += 1
                if count > step * (most - 1):
                    return


def has_alpha(name: str) -> bool:
    """Tell whether a pixel format has opacity."""
    return name.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya", "pal8"))
