"""From what the user asked for to a job: policy, format, keys, geo tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logscrub import keystore
from logscrub.errors import FormatError, GeoError, PolicyError
from logscrub.formats.catalogue import resolve
from logscrub.formats.choice import AUTO
from logscrub.formats.layout import Format
from logscrub.formats.serverconf import choose
from logscrub.policy import digest, override, zone
from logscrub.run.batch import Job
from logscrub.scrubbers import geo
from logscrub.scrubbers.site import OTHER_SITE
from logscrub.scrubbers.site import scrub as scrub_site
from logscrub.transform import Geo, compile_policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from logscrub.dataset import Dataset
    from logscrub.policy import Policy

_MAX_CONFIGURATION = 2**20


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options of `ingest` and `filter` say.

    Args:
        policy: Name or file; empty for the dataset's own, or the default of a new one.
        settings: `section.key=value`, tightening.
        format: Name, string or `auto`.
        format_from: `FILE` or `FILE:NAME` of a server's configuration.
        site: Virtual host of everything that is read.
        timezone: For formats that do not say their offset.
        country: File for `country`.
        asn: File for `asn`.
        keys: Key folder, None for the dataset's own.
        closed_at: Closed no later than this.
        salvage: Take readable lines of damaged data.
        replace: Read known sources again.
        distinct: What begins like a known source and ends earlier is a log of its own.
    """

    policy: str = ""
    settings: tuple[str, ...] = ()
    format: str = AUTO
    format_from: str = ""
    site: str = ""
    timezone: str = ""
    country: Path | None = None
    asn: Path | None = None
    keys: Path | None = None
    closed_at: date | None = None
    salvage: bool = False
    replace: bool = False
    distinct: bool = False


def configured(text: str) -> Format:
    """The format that a server's configuration defines.

    Args:
        text: `FILE` or `FILE:NAME`.

    Raises:
        FormatError: The file cannot be read, or does not define it.
    """
    path, name = Path(text), None
    if not path.is_file() and ":" in text:
        before, name = text.rsplit(":", 1)
        path = Path(before)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CONFIGURATION + 1)
    except OSError:
        raise FormatError(
            f"the configuration {path} cannot be read", hint="check the path after --format-from"
        ) from None
    return Format.of(choose(content.decode("utf-8", errors="replace"), name))


def wished(wishes: Wishes) -> Format | None:
    """The format that the options name; None where it is to be detected.

    Raises:
        FormatError: It is none.
    """
    if wishes.format_from:
        return configured(wishes.format_from)
    return None if wishes.format == AUTO else resolve(wishes.format)


def databases(policy: Policy, country: Path | None, asn: Path | None) -> Geo:
    """Read the geo databases that a policy needs.

    Raises:
        GeoError: One is missing, unreadable or of the wrong kind.
    """
    return Geo(
        country=_database(policy.geo.country, country, "country", "--geo"),
        asn=_database(policy.geo.asn, asn, "asn", "--asn"),
    )


def _database(wanted: bool, path: Path | None, what: geo.What, option: str) -> geo.GeoTable | None:  # noqa: FBT001 — one of two alike
    if not wanted or path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError:
        raise GeoError(
            f"the database {path} cannot be read", hint=f"check the path after {option}"
        ) from None
    return geo.load_bytes(str(path), content, what=what)


def judged_site(policy: Policy, site: str) -> str:
    """What a source's site becomes: itself when the policy lists it.

    Raises:
        PolicyError: The policy keeps no site.
    """
    import pyarrow as pa  # noqa: PLC0415 — only for runs that name a site

    if not site:
        return ""
    if not policy.site.keep:
        raise PolicyError("the policy keeps no site", hint="leave out --site")
    judged = scrub_site(pa.array([site]), policy.site.allow)[0].as_py()
    if judged is None or judged == OTHER_SITE:
        raise PolicyError(
            f"the site {site} is not on the policy's list",
            hint="add it to site.allow, or leave out --site",
        )
    return str(judged)


def job_for(out: Dataset, policy: Policy, wishes: Wishes, *, now: datetime) -> Job:
    """Everything that the sources of a run share; what is wrong fails here, before the first byte is read.

    Args:
        out: The dataset; its folders exist.
        policy: Its policy.
        wishes: The options.
        now: The present.
    """
    if wishes.timezone:
        zone(wishes.timezone)
    reads = wished(wishes)
    tight = override(policy, wishes.settings) if wishes.settings else policy
    transform = compile_policy(tight, databases(tight, wishes.country, wishes.asn))
    keys = wishes.keys or out.keys
    return Job(
        policy=tight, digest=digest(policy), transform=transform, staging=out.staging, keys=keys,
        instance=keystore.instance_key(keys), now=now, settings=tuple(wishes.settings), format=wishes.format,
        reads=reads, site=judged_site(tight, wishes.site), timezone=wishes.timezone, closed_at=wishes.closed_at,
        salvage=wishes.salvage, replace=wishes.replace, distinct=wishes.distinct,
    )  # fmt: skip


def geo_notes(policy: Policy, country: Path | None, asn: Path | None) -> list[str]:
    """Which columns stay null although the policy keeps them, because no database was named."""
    wanted = (
        ("country", policy.geo.country, country, "--geo"),
        ("asn", policy.geo.asn, asn, "--asn"),
    )
    return [
        f"the column {column} stays null: name a database with {option} FILE.mmdb"
        for column, keeps, path, option in wanted
        if keeps and path is None
    ]


def settings_note(settings: Sequence[str]) -> str:
    """What `--set` did, for the summary."""
    return f"tightened for this run: {', '.join(settings)}" if settings else ""
