"""Formats are read out of server configurations, and chosen only where there is no doubt."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logscrub.errors import FormatError
from logscrub.formats.apache import compile_apache
from logscrub.formats.layout import Escape
from logscrub.formats.nginx import compile_nginx
from logscrub.formats.serverconf import MAX_CONFIG, FormatText, choose, read_formats

if TYPE_CHECKING:
    from pathlib import Path

NGINX = r"""
# log_format old '$remote_addr';
http {
  log_format main '$remote_addr [$time_local] '
                  "\"$request\" $status"  # a comment; with a semicolon
                  ' ${body_bytes_sent}';
  log_format j escape=json '{"t":"$time_iso8601","u":"$uri"}';
  log_format bare $time_local\t${status};
  access_log off;
  server { server_name a; access_log /var/log/a.log main buffer=32k; }
}
"""
APACHE = r"""
# LogFormat "%h" old
LogFormat "%v %h %l %u %t \"%r\" %>s %b" vhost
logformat "%h %t \
\"%{User-Agent}i\"" agent
<VirtualHost *:80>
  CustomLog "|/usr/bin/rotatelogs /var/log/access.%Y" vhost env=!dontlog
</VirtualHost>
"""


def test_nginx_strings_are_joined_and_unescaped() -> None:
    """As nginx reads its own configuration: comments, both quotes, escapes, `${name}`, braces, several strings."""
    assert read_formats(NGINX) == {
        "main": FormatText(
            "nginx", '$remote_addr [$time_local] "$request" $status ${body_bytes_sent}', used=True
        ),
        "j": FormatText("nginx", '{"t":"$time_iso8601","u":"$uri"}', "json"),
        "bare": FormatText("nginx", "$time_local\t${status}"),
    }


def test_apache_lines_are_continued_and_unescaped() -> None:
    """As Apache reads its own configuration: any case, continuation, quotes, conditions after the name."""
    assert read_formats(APACHE) == {
        "vhost": FormatText("apache", '%v %h %l %u %t "%r" %>s %b', used=True),
        "agent": FormatText("apache", '%h %t "%{User-Agent}i"'),
    }


def test_the_only_used_format_is_chosen() -> None:
    """Without a name, the one that a log is written in; with a name, that one."""
    assert choose(NGINX).name == "main"
    assert choose(NGINX, "j").escape is Escape.JSON
    assert choose(APACHE) == compile_apache('%v %h %l %u %t "%r" %>s %b', name="vhost")


@pytest.mark.parametrize(
    "text",
    ["log_format only '$time_local $status';", 'LogFormat "%t %>s" only'],
)
def test_the_only_format_is_chosen(text: str) -> None:
    """A configuration that defines one format and writes no log means that one."""
    layout = choose(text)
    assert layout.name == "only"
    assert len(layout.fields) == 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("access_log /var/log/a.log;", "combined"),
        ("access_log /var/log/a.log combined gzip;", "combined"),
        ("access_log /var/log/a.log buffer=1k;", "combined"),
        ("TransferLog /var/log/a.log", "common"),
        ('LogFormat "%t %h"\nTransferLog /var/log/a.log', "line 1"),
        ('ServerName a\nCustomLog /var/log/a.log "%t %h"', "line 2"),
    ],
)
def test_formats_without_a_definition_or_a_name(text: str, name: str) -> None:
    """Predefined in nginx is combined, in Apache common; a nameless format is called after its line."""
    assert choose(text).name == name


@pytest.mark.parametrize(
    ("text", "name", "what", "hint"),
    [
        ("log_format a '$msec';log_format b '$msec';", None, "several formats", "a, b"),
        (
            "access_log x a; log_format a '$msec'; access_log y;",
            None,
            "several formats",
            "a, combined",
        ),
        ("events {}", None, "no format", "log_format"),
        (NGINX, "mian", "no format 'mian'", "did you mean main"),
        (APACHE, "xyz", "no format 'xyz'", "vhost, agent"),
        ("access_log /var/log/a.log elsewhere;", None, "does not define", "--format"),
        ("CustomLog /var/log/a.log combined", None, "does not define", "--format"),
        ("\nlog_format a '$msec;", None, "quote in line 2", "whole file"),
        ('\n\nLogFormat "%t', None, "quote in line 3", "whole file"),
        (" " * (MAX_CONFIG + 1), None, "longer than", "file of their own"),
    ],
)
def test_doubt_is_refused(text: str, name: str | None, what: str, hint: str) -> None:
    """Several formats, none, a wrong name, or a broken file: the message says which names there are."""
    with pytest.raises(FormatError) as caught:
        choose(text, name)
    assert what in caught.value.what
    assert hint in caught.value.hint


@given(st.text(max_size=40), st.sampled_from(["default", "json", "none"]))
def test_nginx_reads_back_what_is_quoted(text: str, escape: str) -> None:
    """Any format string survives being quoted into a configuration file."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    conf = f'log_format x escape={escape} "{quoted}";'
    assert read_formats(conf) == {"x": FormatText("nginx", text, escape)}


@given(st.text(st.characters(exclude_categories=["Cc", "Zl", "Zp", "Cs"]), min_size=1, max_size=40))
def test_apache_reads_back_what_is_quoted(text: str) -> None:
    """Any format string on one line survives being quoted into a configuration file."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert read_formats(f'LogFormat "{quoted}" x') == {"x": FormatText("apache", text)}


_PIECES = st.sampled_from([
    "log_format ", "LogFormat ", "\nCustomLog ", "access_log ", "\n", "x ", '"', "'", "\\", ";", "{",
    "}", "#", "$msec", "%t", " ", "escape=", "${", "é",
])  # fmt: skip


@given(st.lists(_PIECES, max_size=20).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    """A configuration that is none ends in a `FormatError`, never in another exception."""
    with suppress(FormatError):
        assert choose(text).fields


def test_live_configurations(cases: Path) -> None:
    """The formats that the manifest states are those read from the configuration files; all with a time compile."""
    folder = cases / "logs/live-servers"
    stated = {
        entry["file"]: entry
        for entry in json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    }
    nginx = read_formats((folder / "nginx-1.22.1/nginx.conf").read_text("utf-8"))
    apache = read_formats((folder / "apache-2.4.71/httpd.conf").read_text("utf-8"))
    assert list(nginx) == ["main", "none", "j", "jbad", "ingress", "vhost", "combined"]
    assert list(apache) == ["combined", "vhost_combined", "common", "kitchen"]
    assert nginx["main"].text == stated["nginx-1.22.1/main.log"]["format"]
    assert nginx["vhost"].text == stated["nginx-1.22.1/vhost.log"]["format"]
    assert nginx["none"].escape == "none"
    stated_text = stated["apache-2.4.71/other_vhosts_access.log"]["format"]
    assert apache["vhost_combined"].text == stated_text.replace('\\"', '"')
    for name, found in (nginx | apache).items():
        if name == "jbad":
            with pytest.raises(FormatError, match="no time"):
                found.layout(name)
        else:
            assert found.layout(name).zoned


def test_formats_of_the_manifest_compile(cases: Path) -> None:
    """Each format string that the manifest writes out compiles as it stands there."""
    manifest = json.loads((cases / "logs/live-servers/manifest.json").read_text("utf-8"))
    compiled = 0
    for entry in manifest["files"]:
        text, server = entry["format"] or "", entry["server"]
        if text.startswith("$"):
            assert compile_nginx(text, escape=entry["escape"].removeprefix("escape=")).zoned
        elif text.startswith("%"):
            assert compile_apache(text).zoned, server
        else:
            continue
        compiled += 1
    assert compiled == 9
