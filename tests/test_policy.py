"""The policy: reading, writing, comparing, tightening, checking, explaining; and the profiles that ship."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from logscrub.errors import PolicyError
from logscrub.policy import (
    Address,
    Agent,
    Geo,
    Language,
    Period,
    Policy,
    Referer,
    Request,
    Retention,
    Site,
    SourceRule,
    Threats,
    Time,
    check,
    compare,
    digest,
    dump,
    explain,
    kept_columns,
    load,
    override,
    zone,
)
from logscrub.policy.kinds import Choice, Direction
from logscrub.policy.settings import SECTIONS, SETTINGS, value_of, with_value
from logscrub.schema import COLUMNS

CONFIGS = Path(__file__).parents[1] / "configs"
PROFILES = sorted(path.stem for path in CONFIGS.glob("*.toml"))
LEAST = 'version = 1\n[retention]\nperiod = "12 months"\n'

texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
lines = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(
    lambda text: (
        all(c in "\n\t" or c >= " " for c in text) and not any("\x7f" <= c <= "\x9f" for c in text)
    )
)
hosts = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9_.\[\]-]{1,20}", fullmatch=True)
days = st.integers(1, 400).map(lambda n: Period(days=n))
periods = days | st.integers(1, 60).map(lambda n: Period(months=n))
zones = st.sampled_from(["UTC", "Europe/Brussels", "Asia/Hong_Kong", "America/New_York"])


def unique(one: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(one, max_size=5, unique=True).map(tuple)


# as they are read: in order, IPv4 first
proxies = st.lists(
    st.sampled_from(["10.0.0.0/8", "10.0.0.0/16", "203.0.113.7/32", "2001:db8:1::/48", "fd00::/8"]),
    max_size=3,
    unique=True,
).map(lambda found: tuple(sorted(found, key=lambda one: (":" in one, ip_network(one)))))


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    rotation, key_ttl = sorted(draw(st.tuples(days, days)), key=lambda period: period.days)
    return Address(
        mode=draw(st.sampled_from(["truncate", "hash", "drop"])),
        ipv4_bits=draw(st.integers(0, 32)),
        ipv6_bits=draw(st.integers(0, 128)),
        version=draw(st.booleans()),
        rotation=rotation,
        key_ttl=key_ttl,
        trusted_proxies=draw(proxies),
    )


sources = st.lists(
    st.builds(
        SourceRule,
        path=st.sampled_from(
            ["/var/log/{site}.access.log*", "/srv/*.gz", 'odd "name" \\ é 🦉', "**/a?"]
        ),
        format=st.sampled_from(["auto", "combined", '$remote_addr - "$request"\t$status']),
        site=st.just("") | hosts,
        timezone=st.just("") | zones,
    ).map(lambda rule: dataclasses.replace(rule, site="" if "{site}" in rule.path else rule.site)),
    max_size=3,
    unique_by=lambda rule: rule.path,
).map(tuple)

policies = st.builds(
    Policy,
    name=texts.filter(bool),
    description=lines,
    retention=st.builds(Retention, period=periods, timezone=zones),
    time=st.sampled_from(
        [Time("millisecond"), Time("second"), Time("minute"), Time("hour"), Time("day")]
    ),
    site=st.builds(Site, keep=st.booleans(), allow=unique(hosts)),
    address=addresses(),
    geo=st.builds(Geo, country=st.booleans(), asn=st.booleans()),
    request=st.builds(
        Request,
        method=st.booleans(),
        protocol=st.booleans(),
        path=st.sampled_from(["template", "first-segment", "drop"]),
        query=st.sampled_from(["drop", "names", "listed"]),
        query_allow=unique(names),
        status=st.booleans(),
        bytes=st.sampled_from(["exact", "power-of-two", "drop"]),
        duration=st.booleans(),
    ),
    referer=st.builds(Referer, keep=st.sampled_from(["drop", "site", "host"])),
    language=st.builds(Language, keep=st.booleans()),
    agent=st.builds(
        lambda browser, version, os, device, bot: Agent(
            browser, version and browser, os, device, bot
        ),
        *[st.booleans()] * 5,
    ),
    threats=st.builds(
        lambda labels, rules: Threats(labels, rules and labels), st.booleans(), st.booleans()
    ),
    sources=sources,
)


def least(**changes: Any) -> Policy:
    return dataclasses.replace(load(LEAST, name="least"), **{"description": "a reason", **changes})


# --- reading and writing -------------------------------------------------------------------------


@given(policies, texts)
def test_dump_loads_to_an_equal_policy(policy: Policy, other: str) -> None:
    """load(dump(p)) == p, whatever name the caller gives."""
    assert load(dump(policy), name=other or "other") == policy


def test_the_least_file_has_the_defaults_of_the_value() -> None:
    """What a file does not say is what the dataclasses say."""
    expected = Policy("least", "", Retention(Period(months=12)))
    assert load(LEAST, name="least") == expected


def test_the_table_of_settings_covers_the_value() -> None:
    """Every field of every section is a setting, and each choice has exactly the words of its type."""
    fields = [
        f"{section}.{field.name}"
        for section, kind in SECTIONS.items()
        for field in dataclasses.fields(kind)
    ]
    assert fields == list(SETTINGS)
    for key, kind in SETTINGS.items():
        section, name = key.split(".")
        hint = get_type_hints(SECTIONS[section])[name]
        assert isinstance(kind, Choice) == (get_origin(hint) is Literal)
        if isinstance(kind, Choice):
            assert sorted(kind.words) == sorted(get_args(hint))


@pytest.mark.parametrize(
    ("added", "what", "hint"),
    [
        ("[agent]\nverison = true", "unknown key agent.verison", "did you mean agent.version?"),
        ("[agnet]\nbot = true", "unknown table agnet", "did you mean agent?"),
        ("[geo]\nbrowser = true", "unknown key geo.browser", "did you mean agent.browser?"),
        ("[[sources]]\npaht = 'x'", "unknown key sources.paht", "did you mean sources.path?"),
        ("[[sources]]\nformat = 'auto'", "sources.path is missing", ""),
        ("[agent]\nversion = 'yes'", "agent.version must be true or false, not text", ""),
        ("[agent]\nversion = 1", "agent.version must be true or false, not a whole number", ""),
        (
            "[address]\nipv4_bits = true",
            "address.ipv4_bits must be a whole number, not true or false",
            "",
        ),
        (
            "[address]\nipv4_bits = 24.0",
            "address.ipv4_bits must be a whole number, not a decimal number",
            "",
        ),
        ("[address]\nipv4_bits = 33", "address.ipv4_bits must be from 0 to 32", ""),
        ("[address]\nipv6_bits = -1", "address.ipv6_bits must be from 0 to 128", ""),
        (
            "[address]\nmode = 'hsah'",
            'address.mode must be one of "truncate", "hash", "drop"',
            "did you mean hash?",
        ),
        (
            "[address]\nrotation = '1 month'",
            'address.rotation must be a period such as "1 day" or "30 days"',
            "",
        ),
        (
            "[address]\nrotation = 1",
            'address.rotation must be text such as "1 day" or "30 days", not a whole',
            "",
        ),
        ("[address]\nrotation = '0 days'", "address.rotation is empty", ""),
        (
            "[address]\nrotation = '2 days'\nkey_ttl = '1 day'",
            "address.key_ttl (1 day) is shorter than",
            "",
        ),
        (
            "[agent]\nbrowser = false",
            "agent.version without agent.browser",
            "set agent.version = false",
        ),
        (
            "[threats]\nlabels = false",
            "threats.rules without threats.labels",
            "set threats.rules = false",
        ),
        ("[site]\nallow = 'a'", "site.allow must be a list of text, not text", ""),
        ("[site]\nallow = [1]", "each entry of site.allow must be text, not a whole number", ""),
        (
            "[site]\nallow = ['../x']",
            'site.allow has an entry that cannot be a name: "../x"',
            "a host name",
        ),
        ("[site]\nallow = ['A.example']", "site.allow has an entry", "lower case"),
        ("[site]\nallow = ['a', 'a']", "site.allow names something twice", ""),
        ("[site]\nallow = ['_other']", "site.allow has an entry", ""),
        (
            "[address]\ntrusted_proxies = '10.0.0.0/8'",
            "address.trusted_proxies must be a list of text, not text",
            "",
        ),
        (
            "[address]\ntrusted_proxies = [10]",
            "each entry of address.trusted_proxies must be text, not a whole number",
            "",
        ),
        *(
            (
                f"[address]\ntrusted_proxies = ['{entry}']",
                "address.trusted_proxies has an entry that is no network",
                'write each as "10.0.0.0/8" or "2001:db8:1::/48"',
            )
            for entry in (
                "",
                "proxy.example",
                "10.0.0.0/33",
                "2001:db8::/129",
                "10.0.0.0/255.0.0.0",
                "10.0.0/8",
                "fe80::%1/64",
                "10.0.0.0/8 ",
                "010.0.0.0/8",
                "/8",
                "10.0.0.0/",
                "[2001:db8::]/32",
                "unix:",
            )
        ),
        (
            "[address]\ntrusted_proxies = ['10.1.2.3/8']",
            'entry with bits set behind its width: "10.1.2.3/8"',
            'write "10.0.0.0/8" for the network, "10.1.2.3" for the one address',
        ),
        (
            "[address]\ntrusted_proxies = ['2001:db8::1/32']",
            'entry with bits set behind its width: "2001:db8::1/32"',
            'write "2001:db8::/32" for the network, "2001:db8::1" for the one address',
        ),
        (
            "[address]\ntrusted_proxies = ['::ffff:10.0.0.0/104']",
            "an entry that is IPv4 written as IPv6",
            'write "10.0.0.0/8"',
        ),
        (
            "[address]\ntrusted_proxies = ['2001:db8::/32', '2001:DB8:0::/32']",
            "address.trusted_proxies names a network twice",
            "",
        ),
        ("[time]\nprecision = 2026-01-01", "time.precision must be text, not a date", ""),
        ("[[sources]]\npath = '/{site}/{site}'", "path of the source", "only one {site}"),
        ("[[sources]]\npath = '/{host}'", "path of the source", "only one {site}"),
        ("[[sources]]\npath = '/{site}'\nsite = 'a'", "names its site twice", ""),
        ("[[sources]]\npath = '/a'\n[[sources]]\npath = '/a'", "two sources have the path", ""),
        ("[[sources]]\npath = '/a'\ntimezone = 'Mars/Olympus'", "unknown time zone", "IANA"),
        ("[sources]\npath = '/a'", "sources must be tables [[sources]], not a table", ""),
    ],
)
def test_wrong_files_are_refused_with_the_key_and_the_cure(
    added: str, what: str, hint: str
) -> None:
    """The message names the key and what it must be; the hint has the nearest word or the way out."""
    with pytest.raises(PolicyError) as caught:
        load(LEAST + added, name="wrong")
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "version is missing"),
        ("version = 1", "retention.period is missing"),
        ("version = 2\n[retention]\nperiod = '1 day'", "version must be 1"),
        (
            "version = true\n[retention]\nperiod = '1 day'",
            "version must be a whole number, not true or false",
        ),
        ("version = 1\n[retention]\nperiod = '0 days'", "retention.period is empty"),
        ("version = 1\n[retention]\nperiod = ''", "retention.period must be a period"),
        ("version = 1\n[retention]\nperiod = 'forever'", "retention.period must be a period"),
        ("version = 1\n[retention]\nperiod = '1201 months'", "longer than a century"),
        (
            "version = 1\n[retention]\nperiod = '1 day'\ntimezone = '../etc/passwd'",
            "retention.timezone: unknown",
        ),
        (
            "version = 1\n[retention]\nperiod = '1 day'\ntimezone = 'Europe'",
            "retention.timezone: unknown",
        ),
        (
            "version = 1\nretention = 12",
            "retention must be a table [retention], not a whole number",
        ),
        ("verison = 1", "unknown key verison"),
        ("[[[[", "the policy is not TOML"),
        ("a = " + "[" * 100_000, "the policy is not TOML"),
        ("a = " + "9" * 5_000, "the policy is not TOML"),
        ("#" * 300_000, "longer than 262144 characters"),
        (
            'version = 1\nname = ""\n[retention]\nperiod = "1 day"',
            "name must have from 1 to 255 characters",
        ),
        (
            'version = 1\nname = "a\\u001b[2J"\n[retention]\nperiod = "1 day"',
            "name holds a control character",
        ),
    ],
)
def test_files_that_are_no_policy_are_refused(text: str, what: str) -> None:
    """No version, no period, no TOML, no end: each has its own message."""
    with pytest.raises(PolicyError) as caught:
        load(text, name="wrong")
    assert what in caught.value.what


def test_a_log_given_as_a_policy_is_not_quoted() -> None:
    """The message for what is not TOML holds nothing of it but one character."""
    line = (
        '203.0.113.7 - jdoe [22/Nov/2026:04:07:01 +0000] "GET /secret HTTP/1.1" 200 1 "-" "Owl/1"'
    )
    with pytest.raises(PolicyError) as caught:
        load(line, name="wrong")
    shown = caught.value.what + caught.value.hint
    assert not any(part in shown for part in ("203.0", "jdoe", "secret", "Owl"))


@given(st.text(max_size=200))
def test_load_never_fails_otherwise(text: str) -> None:
    """Any text is a policy or a PolicyError."""
    try:
        assert isinstance(load(LEAST + text, name="any"), Policy)
    except PolicyError as error:
        assert error.hint  # noqa: PT017 — most texts are refused, some are comments


# --- comparing and tightening --------------------------------------------------------------------


@given(policies, policies)
def test_equal_digests_mean_no_changes(one: Policy, other: Policy) -> None:
    """The digest is 16 hex digits, and equal exactly when compare finds nothing."""
    assert len(digest(one)) == 16
    assert int(digest(one), 16) >= 0
    assert (digest(one) == digest(other)) == (not compare(one, other))
    renamed = dataclasses.replace(one, name="renamed", description="other words")
    assert digest(renamed) == digest(one)
    assert not compare(one, renamed)


def test_the_order_of_a_list_is_no_change() -> None:
    """Allow-lists are sets."""
    one, other = (least(site=Site(allow=names)) for names in (("a", "b"), ("b", "a")))
    assert digest(one) == digest(other)
    assert not compare(one, other)


@given(policies, policies)
def test_compare_is_antisymmetric(one: Policy, other: Policy) -> None:
    """What is tighter one way is looser the other way; what cannot be ranked stays so."""
    turned: dict[Direction, Direction] = {
        "tighter": "looser",
        "looser": "tighter",
        "different": "different",
    }
    forth = [
        (change.key, change.old, change.new, change.direction) for change in compare(one, other)
    ]
    back = [
        (change.key, change.new, change.old, turned[change.direction])
        for change in compare(other, one)
    ]
    assert forth == back


RANKED: dict[str, list[Any]] = {
    # written by hand from what each value keeps, loosest first
    "time.precision": ["millisecond", "second", "minute", "hour", "day"],
    "request.path": ["template", "first-segment", "drop"],
    "request.bytes": ["exact", "power-of-two", "drop"],
    "referer.keep": ["host", "site", "drop"],
    "address.ipv4_bits": [32, 24, 0],
    "address.ipv6_bits": [128, 40, 0],
    "address.rotation": [Period(days=7), Period(days=1)],
    "address.key_ttl": [Period(days=30), Period(days=1)],
    "retention.period": [
        Period(months=13),
        Period(days=366),
        Period(months=12),
        Period(days=365),
        Period(days=90),
    ],
    "site.allow": [("a", "b"), ("b",), ()],
    "request.query_allow": [("a", "b"), ("b",), ()],
}
UNRANKED: dict[str, list[Any]] = {
    "address.mode": ["truncate", "hash"],
    "request.query": ["names", "listed"],
    "retention.period": [Period(months=1), Period(days=30)],
    "retention.timezone": ["UTC", "Asia/Tokyo"],
    "site.allow": [("a",), ("b",)],
    "request.query_allow": [("a",), ("b",)],
    "address.trusted_proxies": [(), ("10.0.0.0/8",)],
}


def test_each_setting_has_the_right_direction() -> None:
    """Every setting goes from loose to tight as listed, flags from true to false; drop is below everything."""
    listed: dict[str, list[Any]] = {key: [True, False] for key in SETTINGS} | RANKED
    listed["address.mode"], listed["request.query"] = ["hash", "drop"], ["listed", "drop"]
    del listed["retention.timezone"], listed["address.trusted_proxies"]
    for key, values in listed.items():
        for i, loose in enumerate(values):
            for tight in values[i + 1 :]:
                assert SETTINGS[key].direction(loose, tight) == "tighter", key
                assert SETTINGS[key].direction(tight, loose) == "looser", key
    for key, (one, other) in UNRANKED.items():
        assert (
            SETTINGS[key].direction(one, other)
            == SETTINGS[key].direction(other, one)
            == "different"
        )


@given(policies, policies)
def test_what_is_only_tighter_keeps_no_more_columns(one: Policy, other: Policy) -> None:
    """If no change is looser or different, no column appears."""
    taken = one
    for change in compare(one, other):
        if change.direction == "tighter" and change.key != "sources":
            taken = with_value(taken, change.key, value_of(other, change.key))
    assert set(kept_columns(taken)) <= set(kept_columns(one))
    assert all(change.direction == "tighter" for change in compare(one, taken))


@given(policies, policies, st.data())
def test_override_only_tightens(policy: Policy, other: Policy, data: st.DataObject) -> None:
    """An override is refused, or nothing in it is looser or different; what it set is what it has."""
    keys = data.draw(st.lists(st.sampled_from(list(SETTINGS)), min_size=1, max_size=3, unique=True))
    values = {key: value_of(other, key) for key in keys}
    try:
        tight = override(
            policy, [f"{key}={SETTINGS[key].text(value)}" for key, value in values.items()]
        )
    except PolicyError:
        assume(False)
        raise
    assert {change.direction for change in compare(policy, tight)} <= {"tighter"}
    assert all(value_of(tight, key) == value for key, value in values.items())


@given(policies, policies)
def test_every_tighter_setting_can_be_overridden(policy: Policy, other: Policy) -> None:
    """What compare calls tighter, override takes, unless it contradicts another setting."""
    for change in compare(policy, other):
        if change.direction != "tighter":
            continue
        try:
            tight = override(policy, [f"{change.key} = {change.new}"])
        except PolicyError as error:
            assert change.key in {"agent.browser", "threats.labels", "address.key_ttl"}, error.what  # noqa: PT017
        else:
            assert [(one.key, one.direction) for one in compare(policy, tight)] == [
                (change.key, "tighter")
            ]


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("agent.bot=false", "agent.bot", False),
        ("time.precision=hour", "time.precision", "hour"),
        ('time.precision="hour"', "time.precision", "hour"),
        ("retention.period=90 days", "retention.period", Period(days=90)),
        ("retention.period=365 days", "retention.period", Period(days=365)),
        ("address.ipv4_bits=16", "address.ipv4_bits", 16),
        ("address.mode=drop", "address.mode", "drop"),
        ("site.allow=b.example", "site.allow", ("b.example",)),
        ('site.allow=["b.example"]', "site.allow", ("b.example",)),
        ("site.allow=b.example, a.example", "site.allow", ("b.example", "a.example")),
        ("site.allow=", "site.allow", ()),
    ],
)
def test_overrides_are_typed(setting: str, key: str, value: object) -> None:
    """Values are read like those of the file; quotes may be left out, lists take commas."""
    policy = least(site=Site(allow=("a.example", "b.example")))
    assert value_of(override(policy, [setting]), key) == value


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        (
            "agent.os=true",
            "agent.os = true is looser than what the policy says, false; an override may only tighten",
        ),
        ("retention.period=366 days", "retention.period"),
        ("retention.period=13 months", "is looser than what the policy says"),
        ("retention.timezone=Asia/Tokyo", "is not clearly tighter than what the policy says"),
        ("address.mode=hash", "is not clearly tighter"),
        ("site.allow=a.example", "is looser"),
        ("address.ipv4_bits=25", "is looser"),
        (
            "address.trusted_proxies=10.0.0.0/8",
            'address.trusted_proxies = ["10.0.0.0/8"] is not clearly tighter than what the policy says, []',
        ),
        ('address.trusted_proxies=["10.0.0.0/8"]', "is not clearly tighter"),
        ("address.trusted_proxies=10.0.0.1/8", "has an entry with bits set behind its width"),
        ("agent.verison=false", "unknown key agent.verison"),
        ("agent.os", "an override without a value"),
        ("agent.os=nope", "agent.os must be true or false, not text"),
        ("address.ipv4_bits=many", "address.ipv4_bits must be a whole number, not text"),
        ('site.allow=["a', "the value given for site.allow is not TOML"),
        ("agent.browser=false", "agent.version without agent.browser"),
        ("sources.path=/x", "unknown key sources.path"),
        ("name=x", "unknown key name"),
    ],
)
def test_overrides_that_do_not_tighten_are_refused(setting: str, what: str) -> None:
    """Looser, unranked, unknown, untyped and contradictory settings say so."""
    with pytest.raises(PolicyError) as caught:
        override(least(), [setting])
    assert what in caught.value.what
    assert caught.value.hint


def test_overrides_are_judged_together() -> None:
    """Two settings that only make sense together are taken together."""
    tight = override(least(), ["agent.browser=false", "agent.version=false"])
    assert "browser" not in kept_columns(tight)


def test_changes_read_like_the_file() -> None:
    """A change shows both values as TOML."""
    changes = compare(
        least(), least(time=Time("hour"), geo=Geo(country=True), sources=(SourceRule("/a"),))
    )
    assert [str(change) for change in changes] == [
        'time.precision: "second" → "hour" (tighter)',
        "geo.country: false → true (looser)",
        'sources: none → path "/a", format "auto" (different)',
    ]


def test_networks_are_read_as_one_spelling() -> None:
    """Order, case and a lone address mean nothing more than what they say; another network is another digest."""
    one, other = (
        load(LEAST + f"[address]\ntrusted_proxies = {networks}", name="p")
        for networks in (
            '["2001:DB8:1:0::/48", "203.0.113.7", "10.0.0.0/8"]',
            '["10.0.0.0/8", "2001:db8:1::/48", "203.0.113.7/32"]',
        )
    )
    expected = ("10.0.0.0/8", "203.0.113.7/32", "2001:db8:1::/48")
    assert one.address.trusted_proxies == other.address.trusted_proxies == expected
    assert digest(one) == digest(other) != digest(least())
    (change,) = compare(least(), one)
    assert str(change) == (
        'address.trusted_proxies: [] → ["10.0.0.0/8", "203.0.113.7/32", "2001:db8:1::/48"] (different)'
    )


# --- periods and zones ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("months", "shortest", "longest"),
    [
        (1, 28, 31),
        (2, 59, 62),
        (6, 181, 184),
        (12, 365, 366),
        (48, 1460, 1461),
        (1200, 36524, 36525),
    ],
)
def test_months_have_two_lengths(months: int, shortest: int, longest: int) -> None:
    """The shortest and longest span over the whole calendar, 1900 and 2100 included."""
    assert (Period(months=months).shortest, Period(months=months).longest) == (shortest, longest)


@pytest.mark.parametrize(("months", "days"), [(-1, 0), (0, -1), (1, 1)])
def test_odd_periods_do_not_exist(months: int, days: int) -> None:
    """A period is not negative and has one unit."""
    with pytest.raises(PolicyError):
        Period(months=months, days=days)


def test_zones_come_from_the_database() -> None:
    """UTC and IANA names are known, everything else is refused."""
    assert str(zone("UTC")) == "UTC"
    assert str(zone("Asia/Hong_Kong")) == "Asia/Hong_Kong"
    for name in ("", "Nowhere/Here", "/etc/passwd", "a\0b", "x" * 5_000):
        with pytest.raises(PolicyError):
            zone(name)


# --- columns, checks, words ----------------------------------------------------------------------


@given(policies)
def test_kept_columns_are_columns_in_order(policy: Policy) -> None:
    """A subset of the schema, in its order, with the time always."""
    kept = kept_columns(policy)
    assert list(kept) == [name for name in COLUMNS.names if name in kept]
    assert "timestamp" in kept
    assert not {"client_net", "client_token"} <= set(kept)


def test_a_policy_can_keep_every_column() -> None:
    """Two policies together keep all columns: none is out of reach."""
    most = Policy(
        "most", "", Retention(Period(days=1)), geo=Geo(country=True, asn=True), request=Request(query="names"),
        referer=Referer("host"), language=Language(keep=True), agent=Agent(os=True, device=True),
    )  # fmt: skip
    hashed = dataclasses.replace(most, address=Address(mode="hash"))
    assert set(kept_columns(most)) | set(kept_columns(hashed)) == set(COLUMNS.names)


@given(policies)
def test_findings_have_reason_and_cure(policy: Policy) -> None:
    """A valid policy has no errors; every finding says what and what to do, errors and warnings first."""
    findings = check(policy)
    levels = [finding.level for finding in findings]
    assert "error" not in levels
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    for finding in findings:
        assert finding.text
        assert finding.hint
        assert "{p." not in finding.text


@pytest.mark.parametrize(
    ("changes", "level", "part"),
    [
        ({"retention": Retention(Period(months=13))}, "warning", "rows are kept for 13 months"),
        ({"retention": Retention(Period(days=366))}, "warning", "rows are kept for 366 days"),
        ({"description": " "}, "warning", "nothing says why rows are kept"),
        ({"description": "Fully anonymised logs"}, "warning", "promises more than scrubbing gives"),
        (
            {"address": Address(ipv4_bits=32)},
            "warning",
            "address.ipv4_bits = 32 hides fewer than 256",
        ),
        ({"address": Address(ipv4_bits=24)}, "note", "79.5 %"),
        ({"address": Address(ipv4_bits=16)}, "note", "63.1 %"),
        ({"address": Address(ipv6_bits=48)}, "warning", "exactly one customer"),
        ({"address": Address(ipv4_bits=0)}, "note", "a width of 0 bits"),
        (
            {"address": Address("hash", rotation=Period(days=8))},
            "warning",
            "address.rotation = 8 days",
        ),
        (
            {"address": Address("hash", rotation=Period(days=7))},
            "note",
            "address.rotation = 7 days",
        ),
        (
            {"address": Address("hash", key_ttl=Period(days=31))},
            "warning",
            "address.key_ttl = 31 days",
        ),
        ({"address": Address("hash")}, "warning", "tokens are kept for 12 months"),
        (
            {"address": Address("hash"), "retention": Retention(Period(days=29))},
            "warning",
            "keys may outlive the rows",
        ),
        ({"address": Address("hash")}, "warning", "ip_version beside client_token"),
        (
            {"address": Address("hash"), "geo": Geo(country=True)},
            "warning",
            "country beside client_token",
        ),
        ({"address": Address("hash"), "geo": Geo(asn=True)}, "warning", "55.0 %"),
        ({"address": Address("hash")}, "warning", "browser_version beside client_token"),
        (
            {"address": Address("hash"), "language": Language(keep=True)},
            "warning",
            "language beside client_token",
        ),
        (
            {"address": Address("hash"), "referer": Referer("site")},
            "warning",
            "referer_host beside client_token",
        ),
        (
            {"address": Address("hash"), "agent": Agent(device=True)},
            "warning",
            "device beside client_token",
        ),
        *(
            (
                {"address": Address(trusted_proxies=("10.0.0.0/8", network))},
                "warning",
                "so wide that strangers have addresses in it",
            )
            for network in (
                "0.0.0.0/0",
                "::/0",
                "128.0.0.0/1",
                "104.0.0.0/9",
                "2000::/3",
                "2600::/23",
                "fc00::/6",
            )
        ),
        (
            {"address": Address("drop", version=False, trusted_proxies=("10.0.0.0/8",))},
            "note",
            "address.trusted_proxies has no effect",
        ),
        ({"time": Time("millisecond")}, "warning", "milliseconds"),
        ({}, "note", "a login request kept to the second names a person"),
        ({}, "note", "95 %"),
        ({"time": Time("hour")}, "note", "live pipe"),
        ({}, "note", "every host name becomes _other"),
        ({"sources": (SourceRule("/a", site="a.example"),)}, "warning", "not in site.allow"),
        ({"site": Site(keep=False, allow=("a",))}, "note", "site.allow has no effect"),
        ({"request": Request(query="listed")}, "warning", "keeps nothing"),
        (
            {"request": Request(query="listed", query_allow=("page",))},
            "warning",
            "as visitors sent them",
        ),
        (
            {"request": Request(query_allow=("page",))},
            "note",
            'no effect while request.query is "drop"',
        ),
        ({"request": Request(query="names")}, "note", "names of query parameters"),
        ({"referer": Referer("host")}, "warning", "referring host"),
        ({"agent": Agent(os=True)}, "note", "2.8 %"),
        ({"agent": Agent(device=True)}, "note", "device family"),
        ({"retention": Retention(Period())}, "error", "retention.period is empty"),
        ({"address": Address(key_ttl=Period())}, "error", "is shorter than address.rotation"),
        ({"address": Address(key_ttl=Period(months=1))}, "error", "must be days"),
    ],
)
def test_each_risk_is_found(changes: dict[str, Any], level: str, part: str) -> None:
    """Each rule of the table fires on a policy made for it."""
    assert [
        finding
        for finding in check(least(**changes))
        if finding.level == level and part in finding.text
    ]


def test_proxies_of_ones_own_are_no_risk() -> None:
    """Private ranges however wide, and ranges as content networks publish them."""
    networks = (
        "10.0.0.0/8", "100.64.0.0/10", "104.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "fc00::/7", "fe80::/10",
        "2400:cb00::/32", "2603:1000::/24",
    )  # fmt: skip
    found = check(least(address=Address(trusted_proxies=networks)))
    assert [one.text for one in found if "trusted_proxies" in one.text] == []


def test_the_careful_policy_has_only_notes() -> None:
    """A rule that fires on everything would say nothing."""
    careful = least(
        time=Time("hour"),
        site=Site(keep=False),
        address=Address("drop", version=False),
        agent=Agent(version=False),
    )
    assert [finding.text.split()[0] for finding in check(careful)] == ["time.precision"]


@given(policies)
def test_explain_tells_every_column_and_the_period(policy: Policy) -> None:
    """Each column is kept, coarsened or dropped as kept_columns says; no placeholder is left over."""
    told = explain(policy)
    assert str(policy.retention.period) in told.replace("\n  ", " ")
    body = told.split("What is kept\n")[1].split("What a row reveals")[0].splitlines()
    for column in COLUMNS.names:
        (line,) = [line for line in body if line.startswith(f"  {column} ")]
        assert (line.split()[1] == "dropped") == (column not in kept_columns(policy))
        assert line.split()[1] in {"dropped", "kept:", "coarsened:"}
    assert "{p." not in told
    assert told.endswith(".\n")


def test_explain_says_what_the_values_mean() -> None:
    """Crowd sizes follow the widths; a token tells about its key; a login row names a person."""
    told = " ".join(explain(least()).split())
    assert "application's own table of who logged in when, names a person" in told
    assert "at most 256 addresses" in told
    assert "at least 256 homes or offices" in told
    assert "95 % of rows" in told
    wider = " ".join(explain(least(address=Address(ipv4_bits=16, ipv6_bits=56))).split())
    assert "at most 65,536 addresses" in wider
    assert "exactly one home or office" in wider
    hashed = " ".join(explain(least(address=Address("hash"))).split())
    assert "Whoever holds that period's key" in hashed
    assert "address.trusted_proxies is empty" in told
    behind = explain(least(address=Address(trusted_proxies=("10.0.0.0/8", "2001:db8:1::/48"))))
    behind = " ".join(behind.split())
    assert "a trusted proxy (10.0.0.0/8, 2001:db8:1::/48), it is the right-most address" in behind
    assert "can name any address as the client's" in behind
    many = explain(
        least(address=Address(trusted_proxies=tuple(f"10.0.{n}.0/24" for n in range(9))))
    )
    assert "10.0.3.0/24 and 5 more)" in " ".join(many.split())
    coarse = " ".join(explain(least(time=Time("hour"))).split())
    assert "On a live pipe the time shows through" in coarse


@given(policies)
def test_the_words_are_honest(policy: Policy) -> None:
    """Neither checks nor explanations ever claim what scrubbing does not give."""
    bare = dataclasses.replace(policy, name="a policy", description="a reason")
    said = " ".join(
        [explain(bare), *(finding.text + finding.hint for finding in check(bare))]
    ).lower()
    for word in ("anonym", "gdpr-compliant", "securely wiped", "irreversible"):
        assert word not in said


# --- the profiles --------------------------------------------------------------------------------


def profile(name: str) -> Policy:
    return load((CONFIGS / f"{name}.toml").read_text(encoding="utf-8"), name=name)


def test_the_profiles_that_ship() -> None:
    """Exactly the four of the documents."""
    assert PROFILES == ["details-12m", "detection-90d", "security-12m", "strict-30d"]


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_load_check_and_explain(name: str) -> None:
    """No errors, no warnings, a reason in it, and the words for it; the round trip holds."""
    policy = profile(name)
    assert policy.name == name
    assert [finding.text for finding in check(policy) if finding.level != "note"] == []
    assert explain(policy)
    assert load(dump(policy), name="x") == policy


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_give_a_reason_and_leave_nothing_to_defaults(name: str) -> None:
    """Every setting stands in the file, each with a comment."""
    settings, section = [], ""
    for line in (CONFIGS / f"{name}.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section and "=" in line:
            settings.append(f"{section}.{line.split('=')[0].strip()}")
            assert len(line.partition("#")[2]) > 4, line
    assert settings == list(SETTINGS)
    assert name in (CONFIGS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROFILES)
def test_every_mark_of_a_profile_is_explained(name: str) -> None:
    """Sources in brackets stand in the README."""
    explained = (CONFIGS / "README.md").read_text(encoding="utf-8")
    for line in (CONFIGS / f"{name}.toml").read_text(encoding="utf-8").splitlines():
        comment = line.partition("#")[2]
        for marks in (part.partition("]")[0] for part in comment.split("[")[1:]):
            for mark in marks.split(", "):
                known = mark.split(" para.")[0] if mark.startswith("EDPB") else mark
                known = known.split()[0] if known[:2] in {"S0", "S2"} else known
                numbered = mark.replace(".", "").isdigit() or mark.startswith("note 32")
                assert numbered or f"| {known} |" in explained, mark


def test_security_keeps_exactly_what_was_promised() -> None:
    """The default profile: the list of the promise, to the second, 12 months."""
    policy = profile("security-12m")
    assert kept_columns(policy) == (
        "timestamp", "site", "client_net", "ip_version", "method", "protocol", "path", "status", "bytes_sent",
        "duration_ms", "browser", "browser_version", "bot", "threats", "threat_rules",
    )  # fmt: skip
    assert policy.time.precision == "second"
    assert policy.retention == Retention(Period(months=12), "UTC")


def test_the_other_profiles_keep_what_they_say() -> None:
    """Columns, widths and periods of the other three."""
    security = set(kept_columns(profile("security-12m")))
    details = profile("details-12m")
    assert set(kept_columns(details)) - security == {
        "os",
        "device",
        "country",
        "language",
        "referer_host",
    }
    assert security <= set(kept_columns(details))
    assert details.retention.period == Period(months=12)
    detection = profile("detection-90d")
    assert detection.address.mode == "hash"
    assert detection.address.rotation == Period(days=1)
    assert detection.retention.period == Period(days=90)
    absent = {"client_net", "ip_version", "country", "asn", "browser_version", "device"}
    assert not absent & set(kept_columns(detection))
    assert {"client_token", "browser", "os"} <= set(kept_columns(detection))
    strict = profile("strict-30d")
    assert (strict.time.precision, strict.request.path, strict.request.bytes) == (
        "hour", "first-segment", "power-of-two",
    )  # fmt: skip
    assert strict.retention.period == Period(days=30)
    assert "country" in kept_columns(strict)
    assert not {"client_net", "client_token", "ip_version"} & set(kept_columns(strict))
