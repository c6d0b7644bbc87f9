"""The inputs of the suite: generated logs, plain and compressed, and what a rich policy needs beside them."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from benchmarks.corpus import SEED, Corpus, write, yesterday
from benchmarks.traffic import PROFILES

ARCHIVED_DAYS: Final = 60
_LEVEL: Final = 6
"""What gzip and logrotate use."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Args:
        path: A file, or a folder of files.
        corpus: What is in it, decompressed.
        format: What `--format` is told.
    """

    path: Path
    corpus: Corpus
    format: str


def make(name: str, work: Path, size: int) -> Input:
    """Make an input of so many bytes, decompressed: a profile of `traffic.PROFILES`, `gz` or `archive`."""
    folder = Path(tempfile.mkdtemp(dir=work))
    if name == "archive":
        return _archive(folder, size)
    profile = "typical" if name == "gz" else name
    path = folder / "access.log"
    log = write(path, size_bytes=size, end=yesterday(), profile=profile)
    if name == "gz":
        path = _packed(path)
    return Input(path, log, PROFILES[profile].shape.format)


def _archive(folder: Path, size: int) -> Input:
    """A file for each of the last days, each of them compressed."""
    sizes = lines = broken = 0
    for day in range(ARCHIVED_DAYS):
        path = folder / f"access.log-{day:02d}"
        end = yesterday() - timedelta(days=day)
        log = write(path, size_bytes=size // ARCHIVED_DAYS, end=end, seed=SEED + day, days=1)
        _packed(path)
        sizes, lines, broken = sizes + log.size, lines + log.lines, broken + log.broken
    return Input(folder, Corpus("", sizes, lines, broken), "combined")


def _packed(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    with path.open("rb") as source, gzip.open(packed, "wb", compresslevel=_LEVEL) as target:
        shutil.copyfileobj(source, target, 2**20)
    path.unlink()
    return packed


def details(here: Path) -> list[str]:
    """Options of `ingest` for a rich policy: tokens, system, device, and country and ASN where there are databases.

    The databases are looked for where the tests look for their cases; without them both columns are left out.
    """
    text = (Path(__file__).parents[1] / "configs" / "details-12m.toml").read_text(encoding="utf-8")
    folder = Path(os.environ.get("LOGSCRUB_CASES", "/nonexistent")) / "mmdb"
    country, asn = folder / "GeoLite2-Country-Test.mmdb", folder / "GeoLite2-ASN-Test.mmdb"
    here_too = country.exists() and asn.exists()
    for pattern, value in (
        ("mode", '"hash"'), ("ipv[46]_bits", "0"), ("country", str(here_too).lower()), ("asn", str(here_too).lower()),
    ):  # fmt: skip
        text = re.sub(rf"(?m)^({pattern}) = \S+", rf"\1 = {value}", text)
    policy = here / "rich.toml"
    policy.write_text(text, encoding="utf-8")
    geo = ["--geo", str(country), "--asn", str(asn)] if here_too else []
    return ["--policy", str(policy), *geo]
