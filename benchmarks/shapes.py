"""The formats of generated logs: what stands between the values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands between the values of a line, each list from the first to the last.

    Args:
        format: What `logscrub ingest --format` is told.
        hosts: Before the address; one of them in each line.
        users: Between address and time, without a user name and with one.
        between: Between time, request, status, size, referer and user agent.
        end: Behind the user agent.
        cut: The same in a line that breaks off before its end.
        escape: How a byte is escaped, before its two digits.
    """

    format: str = "combined"
    hosts: tuple[str, ...] = ("",)
    users: tuple[str, str] = (" - - [", " - marlow [")
    between: tuple[str, str, str, str, str] = ('] "', '" ', " ", ' "', '" "')
    end: str = '"\n'
    cut: str = "\n"
    escape: str = r"\x"


COMBINED = Shape()
VHOST = Shape(
    "vhost_combined", tuple(f"{name}.shop.example:443 " for name in ("www", "m", "api", "static"))
)
JSON = Shape(
    'escape=json {"addr":"$remote_addr","user":"$remote_user","time":"$time_local","request":"$request","status":$status,'
    '"bytes":$body_bytes_sent,"referer":"$http_referer","agent":"$http_user_agent"}',
    ('{"addr":"',),
    ('","user":"-","time":"', '","user":"marlow","time":"'),
    ('","request":"', '","status":', ',"bytes":', ',"referer":"', '","agent":"'),
    '"}\n',
    "\n",
    r"\u00",
)
