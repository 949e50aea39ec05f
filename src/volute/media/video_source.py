"""Films, as strangers send them: opened safely, read packet by packet, decoded without repairs.

FFmpeg knows hundreds of formats, and some name other files or addresses to read. Here the first
bytes choose one of six demuxers, the file is read through a Python stream, and the demuxer may
open nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from volute.errors import DataError, MissingExtraError, VoluteError
from volute.media.video_kinds import container_kind, is_whole

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

SIDE_LIMIT = 16_384
HINT = "Check that it plays to its end, or save it again as MP4."

_ATTACHED = 0x400


def import_av() -> Any:
    """Return the module `av`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading films needs av", "video") from error
    return av


@contextlib.contextmanager
def opened(source: Path) -> Iterator[InputContainer]:
    """Give the opened film.

    Raises:
        DataError: not a film of a known format, or its head is broken.
    """
    kind = _known_kind(source)
    av = import_av()
    with source.open("rb") as stream:
        if not is_whole(source, kind):
            raise _damaged(source)
        with reading(source):
            film = av.open(
                stream,
                "r",
                format={"webm": "matroska"}.get(kind, kind),
                options={"max_pixels": str(SIDE_LIMIT**2), "protocol_whitelist": "none"},
                metadata_errors="replace",
                buffer_size=1 << 18,
                io_open=_refuse_other_files,
            )
        with film:
            yield film


def _known_kind(source: Path) -> str:
    try:
        size = source.stat().st_size
        with source.open("rb"):
            pass
    except OSError as error:
        raise DataError(f"{source}: {error.strerror or error}") from error
    if size == 0:
        raise DataError(f"{source}: the file is empty (0 bytes)")
    kind = container_kind(source)
    if not kind:
        hint = "Films are read from MP4, MOV, Matroska, WebM, AVI, MPEG-TS, FLV and Ogg files."
        raise DataError(f"{source}: not a film of a known format", hint)
    return kind


def _refuse_other_files(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("it refers to another file, which is not opened")


@contextlib.contextmanager
def reading(source: Path) -> Iterator[None]:
    """Turn whatever FFmpeg says about broken bytes into a DataError that names `source`."""
    av = import_av()
    try:
        yield
    except VoluteError:
        raise
    except Exception as error:  # demuxers and decoders raise anything on broken bytes
        if isinstance(error, MemoryError) and not isinstance(error, av.FFmpegError):
            raise
        reason = str(error) if type(error) is PermissionError else "it is damaged or cut off"
        raise DataError(f"{source}: {reason}", HINT) from error


def video_of(film: InputContainer, source: Path) -> VideoStream:
    """Return the stream to work on: the best that is not a cover picture.

    Raises:
        DataError: there is none, it cannot be decoded, or it is too large.
    """
    films = [stream for stream in film.streams.video if not is_cover(stream)]
    best = film.streams.best("video")
    if not films:
        raise DataError(f"{source}: it has no video", "Sound alone has no pictures.")
    stream = next((stream for stream in films if stream is best), films[0])
    context: Any = stream.codec_context
    if context is None:
        raise DataError(f"{source}: its video is of a kind that cannot be decoded")
    if max(context.width, context.height) > SIDE_LIMIT:
        size = f"{context.width} x {context.height} pixels"
        raise DataError(f"{source}: {size}, over the limit of {SIDE_LIMIT} a side")
    return stream


def is_cover(stream: Any) -> bool:
    """Tell whether a video stream is one attached picture."""
    return bool(stream.disposition & _ATTACHED)


def packets(film: InputContainer, source: Path) -> Iterator[Packet]:
    """Give every packet of the film in order; at the end an empty one for each stream.

    Raises:
        DataError: the film is damaged or ends too early.
    """
    steps = film.demux()
    while True:
        with reading(source):
            packet = next(steps, None)
        if packet is None:
            return
        if packet.is_corrupt:
            raise _damaged(source)
        yield packet


class Decoder:
    """Frames of one stream; a damaged one is an error, where FFmpeg would paint it over."""

    def __init__(self, stream: VideoStream, source: Path) -> None:
        self.source, self.stream = source, stream
        self.context: Any = stream.codec_context
        self.read = 0
        # mov alone says beforehand how many packets there are
        self.expected = len(stream.index_entries) if "mov" in stream.container.format.name else 0
        twin = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(self.context.codec.canonical_name)
        if stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1" and twin:
            self.context = self._with_alpha(twin)
        self.context.options = {
            "err_detect": "crccheck+explode",
            "max_pixels": str(SIDE_LIMIT**2),
        }

    def _with_alpha(self, name: str) -> Any:
        """Return libvpx's decoder, for that of FFmpeg does not read the alpha of WebM."""
        av = import_av()
        try:
            context = av.CodecContext.create(name, "r")
        except av.codec.codec.UnknownCodecError:
            return self.context
        context.extradata = self.context.extradata
        return context

    def frames(self, packet: Packet) -> list[VideoFrame]:
        """Return the frames that are complete with `packet`; the empty packet gives the last.

        Raises:
            DataError: a frame is damaged, or packets are missing at the end.
        """
        self.read += packet.size > 0
        if not packet.size and self.read < self.expected:
            raise _damaged(self.source)
        with reading(self.source):
            made = self.context.decode(packet)
        if any(frame.is_corrupt for frame in made):
            raise _damaged(self.source)
        return made


def first_frame(source: Path) -> VideoFrame:
    """Return the first frame of the film's video.

    Raises:
        DataError: there is none.
    """
    with opened(source) as film:
        stream = video_of(film, source)
        decoder = Decoder(stream, source)
        for packet in packets(film, source):
            if packet.stream is stream:
                for frame in decoder.frames(packet):
                    return frame
    raise DataError(f"{source}: its video has no frames", HINT)


def frame_count(source: Path) -> int:
    """Return how many frames the film has, or about as many; at least 1.

    Raises:
        DataError: the film is damaged.
    """
    with opened(source) as film:
        stream = video_of(film, source)
        rate, duration = stream.average_rate, stream.duration
        if stream.frames:
            return stream.frames
        if rate and duration and stream.time_base:
            return max(1, round(duration * stream.time_base * rate))
        if rate and film.duration:
            return max(1, round(film.duration * rate / 1_000_000))
        return max(1, sum(p.stream is stream and p.size > 0 for p in packets(film, source)))


def _damaged(source: Path) -> DataError:
    return DataError(f"{source}: it is damaged or cut off", HINT)
