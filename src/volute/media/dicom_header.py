"""What the header of an enlarged DICOM picture says: a new instance, derived from the old one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import numpy as np

from volute.media.dicom_pixels import Pixels

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_LOSSY = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
}
_NEEDED = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")
_NEEDED += ("StudyID", "AccessionNumber", "ReferringPhysicianName", "SeriesNumber")
_NEEDED += ("InstanceNumber",)
_OUTDATED = ("IconImageSequence", "DigitalSignaturesSequence", "MACParametersSequence")
_OUTDATED += ("SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries")
_OUTDATED += ("LargestPixelValueInSeries", "SmallestImagePixelValueInPlane", "HistogramSequence")
_OUTDATED += ("LargestImagePixelValueInPlane", "PixelDataProviderURL", "ExtendedOffsetTable")
_OUTDATED += ("ExtendedOffsetTableLengths",)
_PAST = ("OriginalAttributesSequence", "SourceImageSequence", "ReferencedImageSequence")
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_SPACINGS += ("ObjectPixelSpacingInCenterOfBeam", "PhysicalDeltaX", "PhysicalDeltaY")


def _first(v: int, s: int) -> int:
    return (v - 1) * s + 1


def _start(v: int, s: int) -> int:
    return v * s


def _end(v: int, s: int) -> int:
    return (v + 1) * s - 1


def _middle(v: int, s: int) -> int:
    return v * s + (s - 1) // 2


def _middle_first(v: int, s: int) -> int:
    return _middle(v - 1, s) + 1


_PLACES: dict[str, Callable[[int, int], int]] = {
    **{f"RegionLocationMin{axis}0": _start for axis in "XY"},
    **{f"RegionLocationMax{axis}1": _end for axis in "XY"},
    **{f"ReferencePixel{axis}0": _middle for axis in "XY"},
    **{f"TMLinePosition{axis}{n}": _middle for axis in "XY" for n in "01"},
    **{f"DopplerSampleVolume{axis}Position": _middle for axis in "XY"},
    **{f"TotalPixelMatrix{axis}": _start for axis in ("Rows", "Columns")},
    **{f"{axis}PositionInTotalImagePixelMatrix": _first for axis in ("Row", "Column")},
}
for _kind in ("Shutter", "Collimator"):
    _PLACES |= {f"{_kind}{edge}Edge": _first for edge in ("LeftVertical", "UpperHorizontal")}
    _PLACES |= {f"{_kind}{edge}Edge": _start for edge in ("RightVertical", "LowerHorizontal")}
    _PLACES |= {f"CenterOfCircular{_kind}": _middle_first}
    _PLACES |= {f"RadiusOfCircular{_kind}": _start}
    _PLACES |= {f"VerticesOfThePolygonal{_kind}": _middle_first}
"""Pixels named by their index, from 0 or 1, and what becomes of the index."""


def derived(pixels: Pixels, scale: int, model: str) -> tuple[Any, list[str]]:
    """Return the dataset of the enlarged picture without its pixels, and notes for the terminal.

    Patient, study, frame of reference and the meaning of the numbers stay. The series is new, and
    the same for all slices of one series that the same model enlarged by the same factor.
    """
    header = copy.deepcopy(pixels.header)
    if pixels.syntax == _BIG_ENDIAN:
        _swap_words(header)
    for keyword in _OUTDATED:
        header.pop(keyword, None)
    _move(header, scale)
    _rescale(header, scale)
    notes = _enlarge_overlays(header, scale)
    _describe_pixels(header, pixels, scale)
    _keep_losses(header, pixels)
    notes += _identify(header, scale, model)
    return header, notes


def _identify(header: Any, scale: int, model: str) -> list[str]:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    notes = []
    _tell_source(header, scale, model)
    if not header.get("SOPClassUID"):
        header.SOPClassUID = SECONDARY_CAPTURE
        notes.append("the file did not say its kind: written as secondary capture")
    header.SOPInstanceUID = generate_uid()
    series = header.get("SeriesInstanceUID")
    header.SeriesInstanceUID = (
        generate_uid(entropy_srcs=[str(series), model, str(scale)]) if series else generate_uid()
    )
    if not header.get("StudyInstanceUID"):
        header.StudyInstanceUID = generate_uid()
    told = f"{header.get('SeriesDescription') or ''}"[:50] + f" x{scale} enlarged"
    header.SeriesDescription = told.strip()
    for keyword in _NEEDED:
        if keyword not in header:
            setattr(header, keyword, None)
    now = datetime.now()
    for keyword in ("Content", "InstanceCreation"):
        setattr(header, f"{keyword}Date", now.strftime("%Y%m%d"))
        setattr(header, f"{keyword}Time", now.strftime("%H%M%S"))
    header.preamble = b"\0" * 128
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return notes


def _tell_source(header: Any, scale: int, model: str) -> None:
    source = _code("121322", "Source image for image processing operation")
    old = {k: header.get(k) for k in ("SOPClassUID", "SOPInstanceUID")}
    if all(old.values()):
        item = _item(
            ReferencedSOPClassUID=old["SOPClassUID"],
            ReferencedSOPInstanceUID=old["SOPInstanceUID"],
            PurposeOfReferenceCodeSequence=[source],
        )
        header.SourceImageSequence = [item]
    plain = model.encode("ascii", "replace").decode()
    told = f"Enlarged {scale} times along rows and columns by a super-resolution network, {plain}."
    header.DerivationDescription = f"{told} Not for diagnosis."
    header.DerivationCodeSequence = [_code("113085", "Spatial resampling")]
    # of multi-frame kinds with functional groups the standard allows PRIMARY only
    enhanced = "SharedFunctionalGroupsSequence" in header
    header.ImageType = _derived_type(header.get("ImageType"), enhanced)
    for item in _items(header):
        if "FrameType" in item:
            item.FrameType = _derived_type(item.FrameType, enhanced)


def _derived_type(told: Any, enhanced: bool) -> list[str]:
    values = [told] if isinstance(told, str) else list(told or [])
    return ["DERIVED", "PRIMARY" if enhanced else "SECONDARY", *values[2:]]


def _describe_pixels(header: Any, pixels: Pixels, scale: int) -> None:
    header.Rows, header.Columns = pixels.rows * scale, pixels.columns * scale
    header.SamplesPerPixel = pixels.bands
    header.BitsAllocated = pixels.dtype.itemsize * 8
    if pixels.dtype.kind == "f":
        return
    if pixels.palette:
        header.BitsStored = 8
        for element in list(header.group_dataset(0x0028)):
            if "PaletteColorLookupTable" in element.keyword:
                del header[element.tag]
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.rgb:
        header.PhotometricInterpretation = "RGB"
        header.PlanarConfiguration = 0


def _keep_losses(header: Any, pixels: Pixels) -> None:
    method = _LOSSY.get(pixels.syntax)
    if not method or header.get("LossyImageCompression"):
        return
    whole = pixels.frames * pixels.rows * pixels.columns * pixels.bands * pixels.dtype.itemsize
    header.LossyImageCompression = "01"
    header.LossyImageCompressionMethod = method
    header.LossyImageCompressionRatio = f"{whole / pixels.source.stat().st_size:.2f}"


def _move(header: Any, scale: int) -> None:
    """Move each position, that of the middle of the first pixel, with that middle."""
    shared = header.get("SharedFunctionalGroupsSequence") or []
    frames = header.get("PerFrameFunctionalGroupsSequence") or []
    _move_one(header, header, [header], scale)
    for group in [*shared, *frames]:
        for plane in group.get("PlanePositionSequence") or []:
            _move_one(plane, group, [group, *shared, *frames[:1]], scale)
    for detector in header.get("DetectorInformationSequence") or []:
        _move_one(detector, detector, [detector, header], scale)


def _move_one(holder: Any, group: Any, places: list[Any], scale: int) -> None:
    def found(sequence: str, keyword: str, count: int) -> np.ndarray | None:
        for place in places:
            for item in [place, *(place.get(sequence) or [])]:
                if (values := _numbers(item, keyword, count)) is not None:
                    return values
        return None

    position = _numbers(holder, "ImagePositionPatient", 3)
    axes = found("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacing = found("PixelMeasuresSequence", "PixelSpacing", 2)
    if position is None or axes is None or spacing is None:
        return
    pixel = axes[:3] * spacing[1] + axes[3:] * spacing[0]
    holder.ImagePositionPatient = _decimals(position - pixel * (scale - 1) / (2 * scale))


def _rescale(header: Any, scale: int) -> None:
    for item in _items(header):
        for keyword in _SPACINGS:
            if (values := _numbers(item, keyword)) is not None:
                whole = keyword.startswith("Physical")
                setattr(item, keyword, values[0] / scale if whole else _decimals(values / scale))
        for keyword, place in _PLACES.items():
            if (values := _numbers(item, keyword)) is not None:
                made = [place(int(v), scale) for v in values]
                setattr(item, keyword, made if len(made) > 1 else made[0])


def _enlarge_overlays(header: Any, scale: int) -> list[str]:
    """Repeat each bit of graphics laid over the picture; remove what cannot be."""
    notes = []
    for group in range(0x6000, 0x6020, 2):
        if (group, 0x0010) not in header:
            continue
        overlay = header.group_dataset(group)
        data = overlay[group, 0x3000].value if (group, 0x3000) in overlay else b""
        rows, columns = overlay[group, 0x0010].value, overlay[group, 0x0011].value
        frames = int(overlay[group, 0x0015].value) if (group, 0x0015) in overlay else 1
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        count = frames * rows * columns
        if not 0 < count <= bits.size:
            for element in list(overlay):
                del header[element.tag]
            notes.append("an overlay that lies in the pixels or is damaged was removed")
            continue
        large = bits[:count].reshape(frames, rows, columns).repeat(scale, 1).repeat(scale, 2)
        packed = np.packbits(large, bitorder="little").tobytes()
        header[group, 0x3000].value = packed + b"\0" * (len(packed) % 2)
        header[group, 0x0010].value, header[group, 0x0011].value = rows * scale, columns * scale
        if (group, 0x0050) in header:
            origin = header[group, 0x0050].value
            header[group, 0x0050].value = [_first(int(v), scale) for v in origin]
        header.pop((group, 0x1301), None)  # area of the marked region in pixels
    return notes


def _items(header: Any) -> Iterator[Any]:
    """Yield the dataset and all in its sequences, but private ones and those of other pictures."""
    yield header
    for element in header:
        if element.VR == "SQ" and not element.tag.is_private and element.keyword not in _PAST:
            for item in element.value or []:
                yield from _items(item)


def _swap_words(header: Any) -> None:
    """Turn binary values from big to little endian; those with a type of their own are turned."""
    for element in header.iterall():
        size = _WORDS.get(element.VR)
        if size and isinstance(element.value, bytes) and len(element.value) % size == 0:
            element.value = np.frombuffer(element.value, f"u{size}").byteswap().tobytes()


def _numbers(item: Any, keyword: str, count: int = 0) -> np.ndarray | None:
    """Return an attribute as float64 [N]; None if it is absent, empty or not of `count` values."""
    value = item.get(keyword)
    if value is None or value == "" or isinstance(value, (str, bytes)):
        return None
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    return None if not values.size or (count and values.size != count) else values


def _decimals(values: np.ndarray) -> list[Any]:
    from pydicom.valuerep import DSfloat

    return [DSfloat(float(value), auto_format=True) for value in values]


def _code(value: str, meaning: str) -> Any:
    return _item(CodeValue=value, CodingSchemeDesignator="DCM", CodeMeaning=meaning)


def _item(**attributes: Any) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
