"""The ledger: what is found again, who may read it, how large it gets, what is torn."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from volute.provenance import ledger
from volute.provenance.ledger import Record


def record(number: int, watermark: int | None = None) -> Record:
    return Record(
        time="2026-11-26T12:00:00+00:00",
        file=f"{number}.png",
        sha256=f"{number:064x}",
        manifest=f"urn:c2pa:{number}",
        deed="sample",
        model="Größe",
        watermark=watermark,
    )


def test_files_are_found_by_bytes_manifest_and_mark(config: Path) -> None:
    assert ledger.find(sha256=f"{1:064x}") is None
    for number in range(20):
        ledger.add(record(number, number % 10 or None))
    assert ledger.find(sha256=f"{7:064x}") == record(7, 7)
    assert ledger.find(manifest="urn:c2pa:1") == record(1, 1)
    assert ledger.find(watermark=3) == record(13, 3)  # the newest of two
    assert ledger.find(watermark=0) is None
    assert ledger.find(watermark=1) == record(11, 1)
    assert ledger.find() is None


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_it_is_for_its_owner_alone(config: Path) -> None:
    old = os.umask(0)
    try:
        ledger.add(record(1))
    finally:
        os.umask(old)
    assert stat.S_IMODE(ledger.path().stat().st_mode) == 0o600
    assert stat.S_IMODE(config.stat().st_mode) == 0o700


def test_it_does_not_grow_for_ever(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "FULL", 2000)
    for number in range(100):
        ledger.add(record(number))
    assert sum(file.stat().st_size for file in config.iterdir()) < 5000
    assert len(list(config.iterdir())) == 2
    assert ledger.find(manifest="urn:c2pa:99")
    assert ledger.find(manifest="urn:c2pa:92")
    assert not ledger.find(manifest="urn:c2pa:2")


def test_several_write_at_once(config: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ledger.add, map(record, range(200))))
    assert all(ledger.find(manifest=f"urn:c2pa:{number}") for number in range(200))


def test_what_is_torn_is_left_out(config: Path) -> None:
    ledger.add(record(1, 5))
    with ledger.path().open("ab") as stream:
        stream.write(b'{"watermark":5}\n\xff\xfe{"manifest":"urn:c2pa:1"\n')
    assert ledger.find(watermark=5) == record(1, 5)
    assert ledger.find(manifest="urn:c2pa:1") == record(1, 5)
