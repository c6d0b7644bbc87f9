"""`docs/formats.md`, made out of the catalogue: `python -m logscrub.formats.page > docs/formats.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from logscrub.formats import notation
from logscrub.formats.catalogue import entry, names
from logscrub.formats.explain import BECOMES, explain
from logscrub.formats.personal import KEPT
from logscrub.formats.wrappers import WRAPPERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from logscrub.formats.explain import Explanation

_HEAD: Final = """\
<!-- Made out of the catalogue: python -m logscrub.formats.page > docs/formats.md -->
# Formats

`ingest`, `follow` and `filter` find the format of each file by its first 1,000 lines, wrappers included. When fewer
than four lines in five fit, or two formats read them differently, they refuse and say so; they never guess in
silence.

```sh
logscrub formats list
logscrub formats detect access.log.1.gz
logscrub formats explain combined
logscrub formats explain '$remote_addr [$time_local] "$request" $status'
```

`detect` says what speaks for its answer and quotes no line. `explain` lists the fields, what each may become, and
which personal data is dropped. Where detection refuses, name the format:

| `--format` | example |
|---|---|
| a name of the table below | `haproxy` |
| a wrapper and a name | `syslog/haproxy` |
| several names, tried in turn on each line | `combined,common` |
| nginx's own string | `'$remote_addr [$time_local] "$request" $status'`, with `escape=json` or `escape=none` in front |
| Apache's own string | `'%h %l %u %t "%r" %>s %b'` |
| a file that describes it, see below | `shop.toml` |

`--format-from /etc/nginx/nginx.conf:NAME` takes the string out of the server's configuration. In a policy,
`[[sources]]` has a `format` for each pattern of paths ([operations.md](operations.md)).
"""

_BECOMES: Final = """
## What becomes of a field

A policy may keep less than this, never more: `logscrub policy explain NAME`. What stands in no row here is dropped
while a line is taken apart.
"""

_CATALOGUE: Final = """
## Formats with a name

What is read, with the server's word for it where that differs, and the personal data that is dropped. *May be
personal*: the field holds whatever somebody set it up to hold. Every other field, and every other key of JSON, is
dropped too.
"""

_GROWS: Final = """
Where fields are appended over the years (AWS), lines with more of them than are known are read, and counted apart as
`with more fields`.
"""

_WRAPPERS: Final = """
## Wrappers

They are peeled off before a line is read, one in another too, and named in front: `docker/combined`,
`syslog/docker/caddy`. A line that was broken into parts (docker, cri) is put together again.
"""

_OWN: Final = """
## A format of one's own

Describe it in a TOML file, and name that with `--format`. Text: write the line, with a field in braces for what is
kept, and a name after a minus for what is dropped. For a line such as

```text
2026-11-21T12:00:00+00:00 shop.example 192.0.2.7 jane "GET /cart?id=7 HTTP/1.1" 200 512 0.034 "Mozilla/5.0"
```

this is `shop.toml`:

```toml
# shop.toml
about = "the shop's own log"
line = '{time:iso} {site} {address} {-user:free} "{request}" {status} {bytes} {duration_s} "{agent}"'
```

JSON: say for each field where it is. A dot goes one object down (`\\.` is part of a key), a number is an item of an
array, `~` in front of a key compares without case, and of a list the first that is there counts. For a line such as

```json
{"at": 1795262400.5, "client": {"ip": "192.0.2.7", "user": "jane"}, "verb": "GET", "url": "/cart?id=7", "code": 200}
```

this is `app.toml`:

```toml
# app.toml
about = "the app's own JSON"
[json]
time = "at"
address = ["client.ip", "client.addr"]
method = "verb"
target = "url"
status = "code"
```

Check and use them:

```sh
logscrub formats explain app.toml
logscrub ingest shop.log --out OUT --format shop.toml
logscrub ingest app.log --out OUT --format app.toml
```

`logscrub formats detect` prints such a file for JSON whose keys have names that tell what they hold. Several
`line`s, in a list, are tried in turn.
"""

_KEYS: Final = (
    ("`line`, `nginx` or `apache`", "the line, or a list of them, in logscrub's notation or the server's own"),
    ("`json`", "a table: where each field is; `time` may be `date` and `clock` apart"),
    ("`w3c = true`", "the file's own `#Fields:` lines say it"),
    ("`escape`", "of `line`: how quotes and the like are written, `backslash` when left out; of `nginx`: as there"),
    ("`zone`", "the time zone of times that do not say their offset: `Europe/Zurich`"),
    ("`grows = true`", "whatever follows a line is accepted, and counted apart"),
    ("`about`, `origin`, `drops`", "for people: who writes it, where that is described, keys with personal data"),
)  # fmt: skip
_NOTATION: Final = (
    ("`{name}`", "a field, one of: FIELDS; ends at the literal behind it, holds no blank outside quotes"),
    ("`{name:free}`, `{name:number}`", "a field that may hold blanks; one that is a number"),
    ("`{time}`, `{time:free}`", "a time in any usual spelling, without and with blanks"),
    ("`{time:clf}`", "`21/Nov/2026:12:00:00 +0000`"),
    ("`{time:iso}`", "`2026-11-21T12:00:00+00:00`"),
    ("`{time:epoch}`", "`1795262400.500`"),
    ("`{time:%Y-%m-%d %H:%M:%S.%3f}`", "as strftime; `.%3f` and `.%6f` are milliseconds and microseconds"),
    ("`{-name}`, `{-name:free}`, `{-name:number}`", "dropped; the name is yours"),
    ("`{{`, `}}`", "a brace itself"),
)  # fmt: skip
_ESCAPES: Final = {
    "backslash": r"`\xHH`, `\"`, `\n`: nginx, Apache, lighttpd",
    "json": r"as in JSON strings: nginx `escape=json`",
    "none": "nothing is escaped; lines with a wrong number of quotes are rejects",
    "hash": "`#HH`: HAProxy",
    "plus": "a blank is `+`: IIS",
    "percent": "`%HH`: Squid, CloudFront",
}
_REST: Final = """
## Several formats in one file

Each format is tried on the lines that fit none before it, so put the stricter one first. The summary counts the rows
of each.

```sh
logscrub ingest mixed.log --out OUT --format combined,common
```

## Behind proxies

Where the line's address lies in a network of `address.trusted_proxies` (a list in the policy), the client is the
right-most address of the logged header that does not: X-Forwarded-For, Forwarded, X-Real-IP or the one of a content
network. Without that list the client is whoever connected, nothing else in those headers is kept, and a header that
a client can end where it likes (not in quotes, nor last in the line) is dropped.

## Error logs

They are text only and never ingested. `filter` masks what clients wrote into them and every address, and drops what
it does not understand:

```sh
logscrub filter --format nginx-error < nginx-error.log
logscrub filter --format apache-error < apache-error.log
```

## What is not supported

- Lines without a full time; local names of months.
- Lines over 65,536 bytes, or with a NUL byte; UTF-16. They are counted as rejects, or the file is refused.
- JSON over several lines; a log line inside a JSON text, other than what the wrappers above take off.
- IIS's own comma-separated form and Advanced Logging with its quotes: choose W3C. HTTPERR logs; HAProxy's `tcplog`.
- W3C logs in a list with other formats, and wrappers inside such a list: `syslog/combined,common` wraps both.
- The journal's binary files: `journalctl -o json`.
- Formats in which two fields touch, or one that is kept cannot be told from its neighbour: they are refused when
  they are compiled, with the place.
"""


def page() -> str:
    """The whole page."""
    fields = ", ".join(f"`{name}`" for name in notation.FIELDS)
    spelled = [(one, text.replace("FIELDS", fields)) for one, text in _NOTATION]
    escapes = [(f"`{name}`", _ESCAPES[name]) for name in notation.ESCAPES]
    wrappers = [(f"`{name}`", one.about) for name, one in WRAPPERS.items()]
    return "".join(
        [
            _HEAD,
            _BECOMES, _table(("field", "personal data in it", "columns"), _becomes()),
            _CATALOGUE, _table(_COLUMNS, map(_row, names())), _GROWS,
            _WRAPPERS, _table(("wrapper", "written by"), wrappers),
            _OWN, _table(("key of the file", "what it says"), _KEYS),
            _table(("in a `line`", "what it stands for"), spelled),
            _table(("escape", "how"), escapes),
            _REST,
        ]
    )  # fmt: skip


_NONE: Final = "none"
_COLUMNS: Final = ("name", "written by", "read", "personal data that is dropped", "described in")


def _row(name: str) -> Sequence[str]:
    """What the catalogue says of one format."""
    known, found = entry(name), explain(name)
    dropped = "; ".join(
        f"{what} ({_code(fields)})" for what, fields in found.dropped.items()
    )  # fmt: skip
    return f"`{name}`", known.about, _read(found), dropped or _NONE, known.origin


def _read(found: Explanation) -> str:
    """The fields that are kept, each with what the server calls it where that is another word."""
    out: dict[str, list[str]] = {}
    for row in found.rows:
        if row.gives:
            out.setdefault(row.gives, []).extend(row.field.split(" or "))
    return ", ".join(
        gives if {*fields} <= {*notation.FIELDS, gives} else f"{gives} {_code(fields)}"
        for gives, fields in out.items()
    )  # fmt: skip


def _becomes() -> Iterable[Sequence[str]]:
    return dict.fromkeys(
        (gives.name.lower(), KEPT.get(gives) or _NONE, _code(columns))
        for gives, columns in BECOMES.items()
    )


def _code(fields: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in fields)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    cells = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines)
    return "\n" + "".join(f"| {line} |\n" for line in cells)


if __name__ == "__main__":
    sys.stdout.write(page())
