"""The pictures of a DICOM file, frame by frame, as the numbers that it stores."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from volute.errors import DataError, MissingExtraError, printable
from volute.media.dicom_stream import (
    DEFLATED,
    FRAGILE,
    HINT,
    coded_size,
    decoded_apart,
    decoding,
    refuse_bomb,
)
from volute.media.raster import Levels

WHOLE_LIMIT = 128 << 20
"""An uncompressed file of more bytes is read frame by frame."""
_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_FLOATS = {"FloatPixelData": np.dtype("<f4"), "DoubleFloatPixelData": np.dtype("<f8")}
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_MARKS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_RUN_LENGTH = "1.2.840.10008.1.2.5"
_DECODERS = dict.fromkeys(("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"), "pillow")
_DECODERS |= dict.fromkeys(("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"), "pylibjpeg")
"""Those that survive damaged pixels, where there is a choice."""
_SAMPLES = 1 << 19

logging.getLogger("pydicom").addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pictures of one file; what is stored in colour comes as RGB."""

    source: Path
    header: Any
    """The file's dataset (pydicom) up to the pixels."""
    syntax: str
    """Transfer syntax UID: how the pixels are stored."""
    keyword: str
    """Name of the attribute that holds them."""
    frames: int
    rows: int
    columns: int
    dtype: np.dtype
    """Of the frames; little endian."""
    rgb: bool
    palette: bool
    """Stored as numbers of colours in a table."""

    @property
    def bands(self) -> int:
        """Return 3 for colour, else 1."""
        return 3 if self.rgb else 1

    def read(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield frames [C, H, W], each decoded when it is asked for.

        Raises:
            DataError: a frame is broken, or coded in a way that is not read.
        """
        frames = self._stored_frames(list(indices))
        while True:
            with decoding(self.source):
                frame = next(frames, None)
                if frame is None:
                    return
                if self.palette:
                    frame = _coloured(frame, self.header)
                planes = np.moveaxis(frame, -1, 0) if frame.ndim == 3 else frame[None]
                if planes.shape != (self.bands, self.rows, self.columns):
                    raise ValueError("a frame has not the size that the header tells")
                made = planes.astype(self.dtype)
            yield made

    def _stored_frames(self, indices: list[int]) -> Iterator[np.ndarray]:
        from pydicom import dcmread
        from pydicom.pixels import iter_pixels
        from pydicom.uid import UID

        if self.syntax in _PLAIN and self.source.stat().st_size > WHOLE_LIMIT:
            yield from iter_pixels(self.source, indices=indices, transfer_syntax_uid=self.syntax)
            return
        stored = dcmread(self.source, force=True)
        stored.file_meta.TransferSyntaxUID = UID(self.syntax)
        if self.syntax not in (*_PLAIN, DEFLATED):
            for index in indices if self.syntax != _RUN_LENGTH else ():
                self._refuse_mismatch(stored, index)
        if self.syntax in FRAGILE:
            yield from decoded_apart(self.source, self.syntax, indices)
        else:
            plugin = _DECODERS.get(self.syntax, "")
            yield from iter_pixels(stored, indices=indices, decoding_plugin=plugin)

    def _refuse_mismatch(self, stored: Any, index: int) -> None:
        """Refuse coded pixels of another size than the header's: decoders trust them blindly."""
        from pydicom.encaps import get_frame

        offsets = None
        if "ExtendedOffsetTable" in stored and "ExtendedOffsetTableLengths" in stored:
            offsets = (stored.ExtendedOffsetTable, stored.ExtendedOffsetTableLengths)
        coded = get_frame(
            stored.PixelData, index, number_of_frames=self.frames, extended_offsets=offsets
        )
        samples = 1 if self.palette else self.bands
        size = coded_size(coded)
        bits = 8 * self.dtype.itemsize
        if size is None or size[:3] != (self.rows, self.columns, samples) or size[3] > bits:
            raise ValueError("its coded pixels have not the size that the header tells")

    def valid(self, frame: np.ndarray) -> np.ndarray | None:
        """Return where `frame` holds no padding and no NaN, bool [1, H, W]; None: everywhere."""
        if self.rgb:
            return None
        padding = self._padding()
        if padding is None and self.dtype.kind != "f":
            return None
        valid = np.isfinite(frame)
        if padding is not None:
            valid &= (frame < padding[0]) | (frame > padding[1])
        return None if valid.all() else valid

    def levels(self) -> Levels:
        """Return the levels for all frames: of grey, measured on the first, middle and last."""
        if self.rgb:
            top = 2 ** self._bits() - 1
            return replace(Levels.fixed(self.dtype, 0, top), lowest=0, highest=top)
        lowest, highest = self._range()
        samples = []
        for frame in self.read(sorted({0, self.frames // 2, self.frames - 1})):
            valid = self.valid(frame)
            numbers = frame.ravel() if valid is None else frame[valid]
            samples.append(numbers[:: max(1, numbers.size // _SAMPLES)])
        sample = np.concatenate(samples)
        if not sample.size:
            return Levels.fixed(self.dtype, 0, 1)
        return Levels.measured(self.dtype, sample[None], lowest, highest)

    def spare(self, large: np.ndarray, padded: np.ndarray) -> None:
        """Move enlarged numbers that would mean padding, but are none, to the next that does not.

        Args:
            large: an enlarged frame of grey numbers, changed in place.
            padded: bool of its shape: where there was padding.
        """
        padding = self._padding()
        if padding is None or self.dtype.kind == "f":
            return
        least, most = padding
        beside = most + 1 if most + 1 <= self._range()[1] else least - 1
        large[(large >= least) & (large <= most) & ~padded] = beside

    def _bits(self) -> int:
        return 8 if self.palette else int(self.header.BitsStored)

    def _range(self) -> tuple[float, float]:
        if self.dtype.kind == "f":
            return -np.inf, np.inf
        signed = self.dtype.kind == "i"
        top = 2 ** (self._bits() - signed)
        return (-top if signed else 0), top - 1

    def _padding(self) -> tuple[float, float] | None:
        """Return least and greatest number that mean padding."""
        prefix = {"FloatPixelData": "Float", "DoubleFloatPixelData": "DoubleFloat"}
        name = prefix.get(self.keyword, "") + "PixelPadding"
        ends = [self.header.get(f"{name}Value"), self.header.get(f"{name}RangeLimit")]
        found = [self._stored(end) for end in ends if isinstance(end, (int, float))]
        return (min(found), max(found)) if ends[0] is not None and found else None

    def _stored(self, number: float) -> float:
        """Return `number` as the pixels mean it: files give negative padding as unsigned, too."""
        if self.dtype.kind == "f":
            return float(number)
        bits = self._bits()  # decoders clear the others
        wrapped = int(number) % 2**bits
        return wrapped - 2**bits if self.dtype.kind == "i" and wrapped >> (bits - 1) else wrapped


def open_pixels(source: Path) -> Pixels:
    """Read the header of a DICOM file and check that its pictures can be read.

    Raises:
        DataError: not DICOM, damaged, no picture in it, or of a kind that is not read.
        MissingExtraError: pydicom is not installed.
    """
    try:
        dicom = import_module("pydicom")
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading DICOM needs pydicom", "medical") from error
    from pydicom.filewriter import correct_ambiguous_vr

    refuse_bomb(source)
    with decoding(source):
        header = dicom.dcmread(source, stop_before_pixels=True, force=True)
        probe = dicom.dcmread(source, specific_tags=_KEYWORDS, defer_size=64, force=True)
        if not len(header) and not len(probe):
            raise DataError(f"{source}: not a DICOM file", HINT)
        syntax = _syntax(header)
        header = correct_ambiguous_vr(header, syntax != "1.2.840.10008.1.2.2")
        for _ in header.iterall():  # values are decoded when first asked for: do it here
            pass
        keyword = next((name for name in _KEYWORDS if name in probe), None)
        return _checked(source, header, syntax, keyword)


def _checked(source: Path, header: Any, syntax: str, keyword: str | None) -> Pixels:
    if keyword is None:
        kind = header.get("SOPClassUID", "")
        name = getattr(kind, "name", kind)  # that of one not known is itself
        told = f" ({name})" if name != kind else ""
        raise DataError(f"{source}: it holds no picture{told}", "Leave it out.")
    missing = [k for k in ("Rows", "Columns", "BitsAllocated") if not header.get(k)]
    if missing:
        raise DataError(f"{source}: damaged: the header has no {' and no '.join(missing)}", HINT)
    bits = int(header.BitsAllocated)
    if bits == 1 or str(header.get("SOPClassUID", "")) in _MARKS:
        reason = "it holds marks (a segmentation), not a picture"
        raise DataError(f"{source}: {reason}", "Enlarge the picture that was marked instead.")
    light = printable(str(header.get("PhotometricInterpretation", "")))
    samples = int(header.get("SamplesPerPixel", 1))
    palette = light == "PALETTE COLOR"
    if samples != 1 and (samples != 3 or light not in _COLOURS):
        raise DataError(
            f"{source}: colours stored as {light or 'nothing known'} are not read", HINT
        )
    if keyword == "PixelData":
        used = int(header.get("BitsStored") or 0)
        if bits not in (8, 16, 32) or not 0 < used <= bits:
            reason = f"numbers of {bits} bits, {used} of them used, are not read"
            raise DataError(f"{source}: {reason}", HINT)
        kind = "i" if header.get("PixelRepresentation") == 1 and samples == 1 else "u"
        dtype = np.dtype(f"<{kind}{bits // 8}")
    else:
        dtype = _FLOATS[keyword]
    return Pixels(
        source=source,
        header=header,
        syntax=syntax,
        keyword=keyword,
        frames=max(1, int(header.get("NumberOfFrames") or 1)),
        rows=int(header.Rows),
        columns=int(header.Columns),
        dtype=np.dtype(np.uint8) if palette else dtype,
        rgb=palette or samples == 3,
        palette=palette,
    )


def _syntax(header: Any) -> str:
    """Return the transfer syntax that the file names, else the one that it was read with."""
    told = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    if told:
        return str(told)
    implicit, little = header.original_encoding
    if implicit:
        return "1.2.840.10008.1.2"
    return "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"


def _coloured(frame: np.ndarray, header: Any) -> np.ndarray:
    """Look up colours: uint8 [H, W, 3]; of 16 bit tables the upper half."""
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(frame, header)[..., :3]
    return colours >> 8 if colours.dtype == np.uint16 else colours
