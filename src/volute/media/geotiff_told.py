"""What a GeoTIFF says beside its numbers: its place on Earth, tags, names, units and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_NOT_TAGS = {"IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "RPC", "COLOR_PROFILE"}
_NOT_TAGS |= {"TIFF", "IMD", "rio_creation_kwds"}


@dataclass(frozen=True)
class Told:
    """All that is carried over, read at once: what cannot be read is found before any work."""

    tags: dict[str | None, dict[str, str]]
    """By domain; None is the one without a name."""
    band_tags: list[dict[str | None, dict[str, str]]]
    descriptions: tuple[str | None, ...]
    units: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    colors: Any
    """What each band means."""
    classes: dict[int, tuple[int, ...]] | None
    """Colours of the numbers, if they are classes."""
    crs: Any
    transform: Any
    points: Any
    """Ground control points, and their coordinate system."""
    rpcs: Any
    lost: list[str]
    """Domains of tags that are not carried over."""

    @staticmethod
    def of(dataset: Any) -> Told:
        """Read it from an open dataset; the library's errors pass."""
        palette = dataset.colorinterp[0].name == "palette"
        domains = dataset.tag_namespaces()
        return Told(
            tags=_tags(dataset, None),
            band_tags=[_tags(dataset, band) for band in dataset.indexes],
            descriptions=dataset.descriptions,
            units=dataset.units,
            scales=dataset.scales,
            offsets=dataset.offsets,
            colors=dataset.colorinterp,
            classes=dataset.colormap(1) if palette else None,
            crs=dataset.crs,
            transform=dataset.transform,
            points=dataset.gcps,
            rpcs=dataset.rpcs,
            lost=[name for name in domains if name == "IMD" or name.startswith("xml:")],
        )

    def tell(self, made: Any, scale: int, software: str) -> None:
        """Say the same in a new dataset `scale` times as large, made by `software`."""
        for domain, tags in self.tags.items():
            made.update_tags(ns=domain, **tags)
        if "TIFFTAG_SOFTWARE" not in self.tags[None]:
            made.update_tags(TIFFTAG_SOFTWARE=software)
        self._tell_bands(made)
        if self.crs:
            made.crs = self.crs
        if not self.transform.is_identity:
            a, b, c, d, e, f = self.transform[:6]
            near = (a / scale, b / scale, c, d / scale, e / scale, f)
            made.transform = type(self.transform)(*near)
        if self.points[0]:
            self._tell_points(made, scale)
        if self.rpcs:
            made.rpcs = _enlarged_rpcs(self.rpcs, scale)

    def _tell_bands(self, made: Any) -> None:
        if self.classes is None:
            made.colorinterp = self.colors
        else:
            made.write_colormap(1, self.classes)
        made.scales, made.offsets = self.scales, self.offsets
        for band, domains in enumerate(self.band_tags, start=1):
            for domain, tags in domains.items():
                made.update_tags(band, ns=domain, **tags)
            if name := self.descriptions[band - 1]:
                made.set_band_description(band, name)
            if unit := self.units[band - 1]:
                made.set_band_unit(band, unit)

    def _tell_points(self, made: Any, scale: int) -> None:
        """Lines and samples count from the corner of the first pixel, so that both are times."""
        from rasterio import CRS
        from rasterio.control import GroundControlPoint

        points, crs = self.points
        enlarged = [
            vars(point) | {"row": point.row * scale, "col": point.col * scale} for point in points
        ]
        # Where a file counts from centres, the library moves points when it writes them.
        made.update_tags(AREA_OR_POINT="Area")
        made.gcps = ([GroundControlPoint(**point) for point in enlarged], crs or CRS())


def _tags(dataset: Any, band: int | None) -> dict[str | None, dict[str, str]]:
    """Return tags by domain, without statistics, which the new numbers do not have."""
    place = () if band is None else (band,)
    domains = [name for name in dataset.tag_namespaces(*place) if not name.startswith("xml:")]
    return {
        domain: {
            key: value
            for key, value in dataset.tags(*place, ns=domain).items()
            if not key.startswith("STATISTICS_") and key != "OVR_RESAMPLING_ALG"
        }
        for domain in [None, *domains]
        if domain not in _NOT_TAGS
    }


def _enlarged_rpcs(model: Any, scale: int) -> Any:
    """Return the polynomial model for more lines and samples, which it counts from centres."""
    told = model.to_dict()
    for axis in ("line", "samp"):
        told[f"{axis}_off"] = (told[f"{axis}_off"] + 0.5) * scale - 0.5
        told[f"{axis}_scale"] *= scale
    return type(model)(**told)
