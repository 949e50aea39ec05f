"""What names say of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from volute.errors import UsageError
from volute.media import dicom, enlarge_photo, families, geotiff, nifti


def test_endings_of_results_by_name_alone() -> None:
    names = ["a/b.JPG", "x.nii.gz", "x.nii", "c.dcm", "d.gif", "e", "f.mp4", "g.TIFF"]
    made = [".JPG", ".nii.gz", ".nii", ".dcm", ".png", ".png", ".mp4", ".TIFF"]
    assert [families.ending_of(name) for name in names] == made


def test_measurements_keep_their_endings() -> None:
    for family, name in ((dicom, "a.png"), (nifti, "a.dcm"), (geotiff, "a.jpg"), (nifti, "a.mp4")):
        with pytest.raises(UsageError, match="file stays one"):
            families.check_ending(family, Path(name))
    good = [(dicom, "IM01"), (dicom, "a.dcm"), (nifti, "a.nii.gz"), (geotiff, "a.tif")]
    for family, name in [*good, (enlarge_photo, "a.png"), (dicom, "1.2.840")]:
        families.check_ending(family, Path(name))
