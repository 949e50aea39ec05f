"""Pictures for the tests of data: distinct, in every mode and format, and nasty files."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, width: int = 40, height: int = 30, channels: int = 3) -> np.ndarray:
    """Return a smooth random picture, uint8 [height, width] or [height, width, channels]."""
    generator = np.random.default_rng(seed)
    shape = (height, width) if channels == 1 else (height, width, channels)
    coarse = generator.integers(0, 256, (4, 4) if channels == 1 else (4, 4, channels), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height))).reshape(shape)


def png(array: np.ndarray) -> bytes:
    return encoded(Image.fromarray(array), "PNG")


def encoded(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def folder_of(folder: Path, number: int = 16, channels: int = 3, start: int = 0) -> Path:
    """Write distinct PNG pictures `0000.png`, ... and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(start, start + number):
        (folder / f"{seed:04}.png").write_bytes(png(noise(seed, channels=channels)))
    return folder


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that declares a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def black_ink_profile() -> bytes:
    """Return an ICC profile of a printer whose coloured inks are invisible: L* = 100 - black."""
    identity = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = struct.pack(">4s4xBBBx", b"mft1", 4, 3, 2) + matrix + identity * 4
    table += bytes([255, 128, 128, 0, 128, 128]) * 2**3 + identity * 3
    table += bytes(-len(table) % 4)
    tags = struct.pack(">I4sII", 1, b"A2B0", 128 + 16, len(table))
    illuminant = struct.pack(">3i", 63190, 65536, 54061)
    header = struct.pack(">I4xI4s4s4s12x4s", 0, 0x02100000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    header = header.ljust(68, b"\0") + illuminant
    profile = header.ljust(128, b"\0") + tags + table
    return struct.pack(">I", len(profile)) + profile[4:]


def broken_files() -> list[tuple[str, bytes, str]]:
    """Return name, bytes and a part of the expected reason of files that cannot be read."""
    sound = png(noise(0, 100, 80))
    jpeg = encoded(Image.fromarray(noise(0, 100, 80)), "JPEG")
    webp = encoded(Image.fromarray(noise(0)), "WEBP")
    return [
        ("zero.png", b"", "the file is empty"),
        ("cut.jpg", jpeg[: len(jpeg) // 2], "broken JPEG: image file is truncated"),
        ("cut.png", sound[: len(sound) // 2], "broken PNG: image file is truncated"),
        ("head.png", sound[:20], "broken PNG"),
        ("cut.webp", webp[: len(webp) // 2], "broken WEBP"),
        ("bomb.png", png_header(60_000, 60_000), "3600.0 megapixels, over the limit of 50"),
        ("text.jpg", b"<html>404 not found</html>", "not a picture of a known format"),
        ("phone.heic", b"\0\0\0\x18ftypheic" + bytes(90), "HEIC"),
    ]
