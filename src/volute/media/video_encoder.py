"""How a film is encoded: the codec, the form of its pixels, the quality."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from volute.errors import VoluteError
from volute.media.video_colours import BT709, FULL, LIMITED, RGB, Colours, has_alpha
from volute.media.video_source import import_av

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet
    from av.video.stream import VideoStream

ENCODERS = {
    "h264": ("libx264",),
    "hevc": ("libx265",),
    "vp8": ("libvpx",),
    "vp9": ("libvpx-vp9",),
    "av1": ("libsvtav1", "libaom-av1"),
    "prores": ("prores_ks",),
}
SAME_NAME = ("mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "ffv1", "huffyuv", "ffvhuff", "utvideo")
SAME_NAME += ("png", "qtrle", "rawvideo", "flv1", "wmv2")
LAST_RESORT = ("libx264", "libvpx-vp9", "mpeg4")
QUALITY = {
    "libx264": {"crf": "16", "rc-lookahead": "10"},
    "libx264rgb": {"crf": "16", "rc-lookahead": "10"},
    "libx265": {"crf": "16", "x265-params": "log-level=none:rc-lookahead=10"},
    "libvpx": {"crf": "4", "qmin": "0", "qmax": "30", "lag-in-frames": "8", "cpu-used": "2"},
    "libvpx-vp9": {"crf": "16", "lag-in-frames": "8", "row-mt": "1", "cpu-used": "3"},
    "libsvtav1": {"crf": "16", "preset": "6"},
    "libaom-av1": {"crf": "16", "lag-in-frames": "8", "cpu-used": "5"},
    "prores_ks": {"profile": "hq"},
    "ffv1": {"level": "3", "slicecrc": "1"},
}
FIXED_QUALITY = ("mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "flv", "wmv2")
NAMES = {"h264": "H.264", "hevc": "HEVC", "vp8": "VP8", "vp9": "VP9", "av1": "AV1"}
NAMES |= {"mpeg4": "MPEG-4", "theora": "Theora", "prores": "ProRes"}

_REORDERING = ("libx264", "libx264rgb", "libx265")
_NEED_EVEN = (*_REORDERING, "libsvtav1", "prores_ks")
_MPEG_RATES = tuple(map(Fraction, ("24000/1001", 24, 25, "30000/1001", 30, 50, "60000/1001", 60)))


class Encoder:
    """Encodes the new frames into `out`, each at the time of its source."""

    def __init__(self, out: Any, stream: VideoStream, frame: VideoFrame, scale: int) -> None:
        """Choose everything and open the encoder.

        Args:
            out: the container to write, without this stream yet.
            stream: the video of the source.
            frame: its first frame.
            scale: how many times as high and wide the new film is.

        Raises:
            VoluteError: no encoder takes pictures of that size.
        """
        self.colours = Colours(frame)
        self.width, self.height = frame.width * scale, frame.height * scale
        family = stream.codec_context.codec.canonical_name
        size = self.width, self.height
        self.name = choose_encoder(family, out.format.name, size, self.colours.rgb)
        self.pixels = choose_pixels(self.name, frame.format.name, self.width, self.height)
        self.notes = _notes(self.name, self.pixels, family, self.colours, frame)
        self.counted = self.name not in _REORDERING
        self._times: dict[int, tuple[int, int]] = {}
        self._count = 0
        self.time_base = stream.time_base or Fraction(1, 90_000)
        self.stream = out.add_stream(self.name, rate=_rate(stream))
        self._set_up(stream, frame, out.format.name)
        self._open()

    def _set_up(self, source: VideoStream, frame: VideoFrame, muxer: str) -> None:
        context: Any = self.stream.codec_context
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pixels
        context.time_base = _count_base(self.name, source) if self.counted else self.time_base
        self.stream.time_base = self.time_base
        rgb = import_av().VideoFormat(self.pixels).is_rgb
        self.span = FULL if rgb else LIMITED if self.colours.rgb else self.colours.range
        self.matrix = RGB if rgb else self.colours.matrix or BT709
        context.colorspace, context.color_range = self.matrix, self.span
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
        if source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        options = dict(QUALITY.get(self.name, {}))
        if self.name in FIXED_QUALITY:
            options |= {"flags": "+qscale", "global_quality": str(2 * 118)}
        if self.name == "libvpx":
            context.bit_rate = int(self.width * self.height * _rate(source))
        if self.name == "prores_ks" and "444" in self.pixels:
            options["profile"] = "4444"
        if self.name == "libx265" and muxer in ("mp4", "mov", "ipod"):
            context.codec_tag = "hvc1"
        if muxer in ("avi", "flv", "mpegts") or self.name in FIXED_QUALITY:
            options["bf"] = "0"  # these muxers would move all times to make room for them
        if "DISPLAYMATRIX" in frame.side_data:
            matrix: Any = frame.side_data["DISPLAYMATRIX"]
            turn = np.frombuffer(matrix, np.int32).astype(np.int64)
            turn[6:8] = (turn[6:8] * (self.width // frame.width)).clip(-(2**31), 2**31 - 1)
            self.stream.set_display_matrix(turn)
        context.options = options

    def _open(self) -> None:
        av = import_av()
        try:
            with _quiet_svt():
                self.stream.codec_context.open()
        except (av.FFmpegError, ValueError) as error:
            what = f"the {self.name} encoder cannot make films of {self.width} x {self.height}"
            raise VoluteError(f"{what} pixels", "Use another film, or another scale.") from error

    def encode(self, array_CHW: np.ndarray, pts: int, duration: int) -> list[Packet]:
        """Return the packets that are complete with this frame, in the source's time base."""
        frame = self.colours.frame(array_CHW, self.pixels, self.matrix, self.span)
        frame.color_primaries = self.stream.codec_context.color_primaries
        frame.color_trc = self.stream.codec_context.color_trc
        frame.pts = self._count if self.counted else pts
        frame.time_base = self.stream.codec_context.time_base
        self._times[frame.pts] = pts, duration
        self._count += 1
        return [self._timed(packet) for packet in self.stream.encode(frame)]

    def flush(self) -> list[Packet]:
        """Return the packets that were still held back."""
        return [self._timed(packet) for packet in self.stream.encode(None)]

    def _timed(self, packet: Any) -> Packet:
        """Put the source's time in; encoders that keep the order got counts, not times."""
        pts, duration = self._times.pop(packet.pts)
        if self.counted:
            packet.pts = packet.dts = pts
            packet.time_base = self.time_base
        packet.duration = duration
        packet.stream = self.stream
        return packet


@contextlib.contextmanager
def _quiet_svt() -> Iterator[None]:
    """Keep SVT-AV1, which knows no other way, from writing to the terminal."""
    before = os.environ.get("SVT_LOG")
    os.environ["SVT_LOG"] = "1"
    try:
        yield
    finally:
        del os.environ["SVT_LOG"]
        if before is not None:
            os.environ["SVT_LOG"] = before


def holds(muxer: str, encoder: str) -> bool:
    """Tell whether there is such an encoder and its codec may be in such a container."""
    av = import_av()
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        try:
            trial.add_stream(encoder, rate=25)
        except (ValueError, av.FFmpegError):
            return False
    return True


def choose_encoder(family: str, muxer: str, size: tuple[int, int], rgb: bool) -> str:
    """Return the encoder for a codec, or that of the nearest one that `muxer` holds.

    libx265 writes past its memory where a side is under 64 pixels, and is left out there; so is
    SVT-AV1 where a side is odd.
    """
    own = ENCODERS.get(family, (family,) if family in SAME_NAME else ())
    own = tuple({"flv1": "flv"}.get(name, name) for name in own)
    if min(size) < 64:
        own = tuple(name for name in own if name != "libx265")
    if size[0] % 2 or size[1] % 2:
        own = tuple(name for name in own if name != "libsvtav1")
    if rgb and family == "h264":
        own = ("libx264rgb", *own)
    found = next((name for name in (*own, *LAST_RESORT) if holds(muxer, name)), None)
    if found is None:
        raise VoluteError(f"there is no encoder for {family} video in such a file")
    return found


def choose_pixels(encoder: str, name: str, width: int, height: int) -> str:
    """Return the encoder's pixel format that loses nothing, or least, of `name`."""
    av = import_av()
    wanted = name.replace("yuvj", "yuv")
    offered = [item.name for item in av.Codec(encoder, "w").video_formats or ()]
    if not offered:
        return name
    if encoder != "mjpeg":
        offered = [item for item in offered if "yuvj" not in item]
    if encoder == "libx265":
        offered = [item for item in offered if not has_alpha(item)]
    if encoder in _NEED_EVEN:
        offered = [item for item in offered if _even(item, width, height)]
    if not offered:
        raise VoluteError(f"{encoder} needs an even width and height, not {width} x {height}")
    if wanted in offered:
        return wanted
    return av.codec.find_best_pix_fmt_of_list(offered, wanted, has_alpha=has_alpha(name))[0].name


def _even(name: str, width: int, height: int) -> bool:
    """Tell whether the chroma of a format divides the size."""
    form = import_av().VideoFormat(name, 64, 64)
    return not (width % (64 // form.chroma_width()) or height % (64 // form.chroma_height()))


def _count_base(encoder: str, stream: VideoStream) -> Fraction:
    """Return the time from frame to frame that an encoder is told; the container has the true."""
    rate = min(max(_rate(stream), Fraction(1)), Fraction(1000))
    if encoder in ("mpeg1video", "mpeg2video"):
        rate = min(_MPEG_RATES, key=lambda known: abs(known - rate))
    return (1 / rate).limit_denominator(60_000)


def _rate(stream: VideoStream) -> Fraction:
    return (stream.average_rate or stream.guessed_rate or Fraction(25)).limit_denominator(60_000)


def _notes(
    encoder: str, pixels: str, family: str, colours: Colours, frame: VideoFrame
) -> list[str]:
    notes = []
    made = import_av().Codec(encoder, "w").canonical_name
    if made != family:
        said, new = NAMES.get(family, family), NAMES.get(made, made)
        notes.append(f"the video is {new} now: {said} cannot be written in such a file")
    if colours.alpha and not has_alpha(pixels):
        notes.append(f"transparency is left out: {NAMES.get(made, made)} does not hold it")
    bits = import_av().VideoFormat(pixels).components[0].bits
    if colours.deep and bits <= 8:
        notes.append(f"8 bits a colour now: {NAMES.get(made, made)} takes no more here")
    if "MASTERING_DISPLAY_METADATA" in frame.side_data:
        notes.append("the HDR film's notes on its mastering display are left out")
    return notes
