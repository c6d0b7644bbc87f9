"""The formats that have a name, and what a user may write after `--format`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Final

from logscrub.errors import FormatError
from logscrub.formats.apache import compile_apache
from logscrub.formats.nginx import compile_nginx

if TYPE_CHECKING:
    from logscrub.formats.layout import Layout


@dataclass(frozen=True, slots=True)
class Entry:
    """A format with a name.

    Args:
        name: What users and servers call it.
        text: The format string, as Apache writes it.
        about: Who writes it, for people.
    """

    name: str
    text: str
    about: str


_COMMON: Final = '%h %l %u %t "%r" %>s %b'
_HEADERS: Final = '"%{Referer}i" "%{User-agent}i"'

CATALOGUE: Final[dict[str, Entry]] = {
    entry.name: entry
    for entry in (
        # Predefined in nginx (ngx_http_log_module.c, ngx_http_combined_fmt) and in the httpd.conf
        # that Apache ships. nginx's ` - ` stands where Apache has the ident, so both are one
        # layout; lighttpd puts the Host header there.
        Entry("combined", f"{_COMMON} {_HEADERS}", "nginx, Apache and lighttpd, as they come"),
        # httpd.conf as shipped; mod_log_config's own default (DEFAULT_LOG_FORMAT) has %>s too.
        Entry("common", _COMMON, "Apache without referer and user agent: the common log format"),
        # httpd.conf as shipped, where mod_logio is loaded.
        Entry("combinedio", f"{_COMMON} {_HEADERS} %I %O", "combined, then bytes in and out"),
        # Debian and Ubuntu, apache2.conf: other_vhosts_access.log. Their %O reads like %b.
        Entry(
            "vhost_combined",
            f'%v:%p %h %l %u %t "%r" %>s %O {_HEADERS}',
            "Debian's Apache: virtual host and port, then combined",
        ),
        # Hosting panels and the manuals of log analysers: as Debian's, without the port.
        Entry(
            "vhost_combined_no_port",
            f"%v {_COMMON} {_HEADERS}",
            "Apache: virtual host without a port, then combined",
        ),
        # mod_log_config, documentation, "Common Log Format with Virtual Host".
        Entry("vhost_common", f"%v {_COMMON}", "Apache: virtual host, then common"),
        # The commented example in the nginx.conf that nginx ships; written by most packages of it.
        Entry(
            "main",
            f'{_COMMON} {_HEADERS} "%{{X-Forwarded-For}}i"',
            "nginx's example: combined, then X-Forwarded-For",
        ),
    )
}

_VARIABLE: Final = re.compile(r"\$\{?[A-Za-z_]")
_DIRECTIVE: Final = re.compile(r"%[!<>,0-9]*(?:\{|\^t|[A-Za-z])")
_ESCAPE: Final = re.compile(r"\s*escape=(\S*)\s+")


@cache
def named(name: str) -> Layout:
    """The layout of a name in `CATALOGUE`.

    Raises:
        FormatError: No format has that name.
    """
    if name not in CATALOGUE:
        close = get_close_matches(name.lower(), CATALOGUE, n=1)
        raise FormatError(
            "there is no format of that name",
            hint=f"did you mean {close[0]}?"
            if close
            else f"one of {', '.join(CATALOGUE)}, or a format string of nginx or Apache",
        )
    return compile_apache(CATALOGUE[name].text, name=name)


def resolve(text: str) -> Layout:
    """The layout that a user means: a name, an nginx string (`$…`) or an Apache string (`%…`).

    An nginx string may begin with `escape=json` or `escape=none`, as in `log_format`.

    Raises:
        FormatError: It is none of them, or the string cannot be compiled.
    """
    variables, directives = len(_VARIABLE.findall(text)), len(_DIRECTIVE.findall(text))
    if not variables and not directives:
        return named(text.strip())
    if directives > variables:
        return compile_apache(text)
    prefix = _ESCAPE.match(text)
    if prefix:
        return compile_nginx(text[prefix.end() :], escape=prefix[1])
    return compile_nginx(text)
