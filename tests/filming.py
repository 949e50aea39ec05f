"""Small films for tests, made with PyAV, and what lies in a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def picture(number: int, height: int = 32, width: int = 48) -> np.ndarray:
    """Return a grey ramp over flat colours, which move with `number`: uint8 [H, W, 3]."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]
    made = np.empty((height, width, 3), np.uint8)
    made[: height // 2] = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
    for column in range(0, width, 8):
        made[height // 2 :, column : column + 8] = colours[(column // 8 + number) % 6]
    return made


@dataclass
class Recipe:
    """What film to make."""

    codec: str = "libx264"
    pixels: str = "yuv420p"
    size: tuple[int, int] = (32, 48)
    pts: Sequence[int] = tuple(range(0, 12 * 512, 512))
    time_base: Fraction = Fraction(1, 12800)
    options: dict[str, str] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    muxing: dict[str, str] = field(default_factory=dict)
    audio: str = ""
    cover: bool = False
    second: bool = False
    matrix: int = 6
    span: int = 1
    turn: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    chapters: list[Any] = field(default_factory=list)


def film(path: Path, recipe: Recipe) -> Path:
    """Write a film and return its path."""
    with av.open(str(path), "w", container_options=recipe.muxing) as out:
        video = out.add_stream(recipe.codec, rate=25)
        video.height, video.width = recipe.size
        video.pix_fmt = recipe.pixels
        video.codec_context.time_base = recipe.time_base
        video.time_base = recipe.time_base
        video.codec_context.options = recipe.options
        for name, value in recipe.context.items():
            setattr(video.codec_context, name, value)
        video.metadata["language"] = "fra"
        if recipe.turn is not None:
            video.set_display_rotation(recipe.turn)
        sound = _sound_stream(out, recipe)
        cover, second = None, None
        if recipe.cover:
            cover = out.add_stream("mjpeg", rate=1)
            cover.height, cover.width, cover.pix_fmt = 16, 16, "yuvj420p"
            cover.disposition = 0x400
        if recipe.second:
            second = out.add_stream("mpeg4", rate=25)
            second.height, second.width = 16, 16
        out.metadata.update(recipe.metadata)
        out.set_chapters(recipe.chapters)
        if cover is not None:
            out.mux(cover.encode(_frame(picture(3, 16, 16), "yuvj420p", 6, 2)))
        if second is not None:
            out.mux(second.encode(_frame(picture(2, 16, 16), "yuv420p", 6, 1)))
            out.mux(second.encode(None))
        for number, pts in enumerate(recipe.pts):
            array = picture(number, *recipe.size)
            frame = _frame(array, recipe.pixels, recipe.matrix, recipe.span)
            frame.pts, frame.time_base = pts, recipe.time_base
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            out.mux(_sound(sound, recipe))
    return path


def _frame(array: np.ndarray, pixels: str, matrix: int, span: int) -> av.VideoFrame:
    alpha = "a" in pixels.replace("gray", "")
    if alpha:
        opacity = np.full((*array.shape[:2], 1), 255, np.uint8)
        opacity[:, : array.shape[1] // 2] = 64
        array = np.concatenate([array, opacity], axis=2)
    plain = av.VideoFrame.from_ndarray(array, format="rgba" if alpha else "rgb24")
    plain.colorspace, plain.color_range = matrix, 2
    return plain.reformat(
        format=pixels,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=2,
        dst_color_range=span,
    )


def _sound_stream(out: Any, recipe: Recipe) -> Any:
    if not recipe.audio:
        return None
    sound = out.add_stream(recipe.audio, rate=48000)
    sound.codec_context.layout = "mono"
    sound.metadata["language"] = "deu"
    return sound


def _sound(sound: Any, recipe: Recipe) -> list[Any]:
    seconds = float((recipe.pts[-1] - recipe.pts[0]) * recipe.time_base) + 0.04
    times = np.arange(int(48000 * seconds)) / 48000
    wave = (np.sin(times * 2 * np.pi * 440) * 9000).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate = 48000
    frame.pts = 0
    frame.time_base = Fraction(1, 48000)
    start = int(recipe.pts[0] * recipe.time_base * 48000)
    resampler = av.AudioResampler(sound.codec_context.format.name, "mono", 48000)
    size = sound.codec_context.frame_size or 1024
    fifo = av.AudioFifo()
    packets = []
    for part in resampler.resample(frame):
        fifo.write(part)
    while (part := fifo.read(size)) is not None:
        packets += sound.encode(part)
    packets += sound.encode(None)
    for packet in packets:
        packet.pts, packet.dts = packet.pts + start, packet.dts + start
    return packets


@dataclass
class Content:
    """What a film holds, decoded and not."""

    pictures: list[np.ndarray]
    """uint8 [H, W, 3], or [H, W, 4] where there is alpha."""
    times: list[Fraction]
    frames: list[Any]
    copied: dict[int, list[tuple[Fraction | None, bytes]]]
    """Times and bytes of the packets of each other stream, by its index."""
    kinds: list[tuple[str, str]]
    """Type and codec of each stream."""
    stream: dict[str, Any]
    metadata: dict[str, str]
    chapters: list[Any]


def content(path: Path, matrix: int = 6, span: int = 1, decoder: str = "") -> Content:
    """Read a whole film with PyAV alone."""
    with av.open(str(path)) as opened:
        video = next(s for s in opened.streams.video if not s.disposition & 0x400)
        context = av.CodecContext.create(decoder, "r") if decoder else video.codec_context
        made = Content([], [], [], {}, [], {}, dict(opened.metadata), opened.chapters())
        made.kinds = [(s.type, getattr(s, "name", None) or "") for s in opened.streams]
        for name in ("time_base", "sample_aspect_ratio", "disposition", "metadata"):
            made.stream[name] = getattr(video, name)
        for name in ("pix_fmt", "color_range", "colorspace", "color_trc", "color_primaries"):
            made.stream[name] = getattr(video.codec_context, name)
        for packet in opened.demux():
            if packet.stream is not video:
                if packet.size:
                    time = None if packet.pts is None else packet.pts * packet.time_base
                    made.copied.setdefault(packet.stream_index, []).append((time, bytes(packet)))
                continue
            for frame in context.decode(packet):
                made.frames.append(frame)
                made.times.append(frame.pts * video.time_base)
                alpha = "yuva" in frame.format.name or "rgba" in frame.format.name
                form = "rgba" if alpha or "bgra" in frame.format.name else "rgb24"
                made.pictures.append(
                    frame.reformat(
                        format=form,
                        src_colorspace=matrix,
                        dst_colorspace=matrix,
                        src_color_range=span,
                        dst_color_range=2,
                    ).to_ndarray()
                )
    return made
