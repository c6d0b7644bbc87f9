"""The files for servers, timers and rotation in `configs/` are accepted by the programs that read them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from logscrub.formats.serverconf import choose
from logscrub.schema import Raw

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
PAGE = ROOT / "docs" / "operations.md"
UNITS = sorted(path.name for path in (CONFIGS / "systemd").iterdir())
SERVICES = [name for name in UNITS if name.endswith(".service")]

# The sbin folders are not on the path of an ordinary user.
PROGRAMS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

NGINX = """
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log off;
    include {snippet};
    server {{
        listen 127.0.0.1:8080;
        {line}
    }}
}}
"""

APACHE = """
ServerRoot {folder}
ServerName example.org
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:8080
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
Include {snippet}
<VirtualHost 127.0.0.1:8080>
{line}
</VirtualHost>
"""


def needed(*names: str) -> str:
    """The path of the first of these programs that is installed; without any, the test is left out."""
    for name in names:
        if found := shutil.which(name, path=PROGRAMS):
            return found
    pytest.skip(f"{' or '.join(names)} is not installed")


def run(*command: str) -> tuple[int, str]:
    """Exit code and everything a program prints."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def choices(snippet: Path) -> list[str]:
    """The directives of a snippet that its reader chooses from, marked with `#:`."""
    return [line[2:].strip() for line in snippet.read_text().splitlines() if line.startswith("#:")]


NGINX_SNIPPET = CONFIGS / "nginx" / "logscrub.conf"
APACHE_SNIPPET = CONFIGS / "apache" / "logscrub.conf"


def check_nginx(folder: Path, line: str) -> tuple[int, str]:
    """What `nginx -t` says about the snippet and one of its choices; logs go into the folder."""
    config = folder / "nginx.conf"
    text = NGINX.format(folder=folder, snippet=NGINX_SNIPPET, line=line)
    config.write_text(text.replace("/var/log/nginx", str(folder)))
    return run(needed("nginx"), "-t", "-p", str(folder), "-c", str(config), "-e", "stderr")


@pytest.mark.parametrize("line", choices(NGINX_SNIPPET))
def test_nginx_accepts_the_snippet(line: str, tmp_path: Path) -> None:
    """`nginx -t` passes with each way of logging that the snippet offers."""
    code, text = check_nginx(tmp_path, line)
    assert code == 0, text


def test_nginx_check_can_fail(tmp_path: Path) -> None:
    """A format that the snippet does not define is refused, so the check reads the snippet."""
    code, text = check_nginx(tmp_path, "access_log /var/log/nginx/x.log nosuch;")
    assert code != 0
    assert "nosuch" in text


def check_apache(folder: Path, line: str) -> tuple[int, str]:
    """What `apache2 -t` says about the snippet and one of its choices."""
    program = needed("apache2", "httpd")
    places = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/libexec/apache2")
    modules = next((place for place in places if Path(place).is_dir()), None)
    if modules is None:
        pytest.skip("the modules of Apache are not installed")
    config = folder / "apache.conf"
    config.write_text(
        APACHE.format(folder=folder, snippet=APACHE_SNIPPET, line=line, modules=modules)
    )
    return run(program, "-t", "-f", str(config))


@pytest.mark.parametrize("line", choices(APACHE_SNIPPET))
def test_apache_accepts_the_snippet(line: str, tmp_path: Path) -> None:
    """`apache2 -t` passes with each way of logging that the snippet offers."""
    code, text = check_apache(tmp_path, line)
    assert code == 0, text


def test_apache_check_can_fail(tmp_path: Path) -> None:
    """A directive that does not exist is refused, so the check reads the virtual host."""
    code, text = check_apache(tmp_path, "CustomLogs /var/log/apache2/x.log logscrub")
    assert code != 0
    assert "CustomLogs" in text


@pytest.mark.parametrize("snippet", [NGINX_SNIPPET, APACHE_SNIPPET], ids=["nginx", "apache"])
def test_snippet_format_is_one_we_read(snippet: Path) -> None:
    """The format that a snippet defines compiles, and gives the duration and no user name."""
    fields = choose(snippet.read_text(), "logscrub").fields
    assert Raw.DURATION in [field.keeps for field in fields]
    assert not {"$remote_user", "%u"} & {field.name for field in fields}


def rotation(folder: Path, **changes: str) -> Path:
    """A copy of the logrotate file for logs in a folder, which any user may run."""
    text = (CONFIGS / "logrotate" / "logscrub").read_text()
    text = text.replace("/var/log/nginx", str(folder)).replace("/run/nginx.pid", f"{folder}/no.pid")
    for old, new in {"create 0640 www-data adm": "create 0640", **changes}.items():
        assert old in text
        text = text.replace(old, new)
    copy = folder / "rotate.conf"
    copy.write_text(text)
    copy.chmod(0o644)
    return copy


def test_logrotate_accepts_the_file(tmp_path: Path) -> None:
    """`logrotate -d` reads the file as it is shipped, and understands every limit in it."""
    logrotate = needed("logrotate")
    (tmp_path / "site.access.log").write_text("x\n")
    shipped = rotation(tmp_path, **{"create 0640": "create 0640 www-data adm"})
    code, text = run(logrotate, "-d", "-s", str(tmp_path / "state"), str(shipped))
    assert code == 0, text
    assert "error:" not in text
    assert "after 1 days (7 rotations)" in text
    assert "empty log files are rotated, old logs are removed" in text


@pytest.mark.parametrize(("setting", "left"), [("ifempty", False), ("notifempty", True)])
def test_quiet_site_loses_its_old_lines(setting: str, left: bool, tmp_path: Path) -> None:  # noqa: FBT001 — a table
    """With `ifempty` a log without visitors is rotated and its old archive goes; with Debian's setting it stays."""
    logrotate = needed("logrotate")
    tmp_path.chmod(0o755)  # logrotate refuses folders that others may write to
    (tmp_path / "quiet.access.log").touch()
    old = tmp_path / "quiet.access.log.2.gz"
    old.write_bytes(b"x")
    nine_days_ago = time.clock_gettime(time.CLOCK_REALTIME) - 9 * 86_400
    os.utime(old, (nine_days_ago, nine_days_ago))
    config = rotation(tmp_path, **{"\tifempty\n": f"\t{setting}\n"})
    code, text = run(logrotate, "--force", "-s", str(tmp_path / "state"), str(config))
    assert code == 0, text
    assert bool(list(tmp_path.glob("*.gz"))) is left


def installed(folder: Path) -> list[str]:
    """The units, copied to where the program that they start exists."""
    program = folder / "logscrub"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in UNITS:
        text = (CONFIGS / "systemd" / name).read_text()
        (folder / name).write_text(text.replace("/usr/local/bin/logscrub", str(program)))
    return [str(folder / name) for name in UNITS]


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about the units, nor with the page's change for Apache."""
    analyze = needed("systemd-analyze")
    units = installed(tmp_path)
    change = tmp_path / "logscrub-ingest.service.d"
    assert run(analyze, "verify", *units) == (0, "")
    change.mkdir()
    (block,) = re.findall(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)
    program = str(tmp_path / "logscrub")
    (change / "override.conf").write_text(block.replace("/usr/local/bin/logscrub", program))
    assert run(analyze, "verify", *units) == (0, "")


def test_systemd_check_can_fail(tmp_path: Path) -> None:
    """A misspelt setting is reported, so the check reads the units."""
    analyze = needed("systemd-analyze")
    units = installed(tmp_path)
    ingest = tmp_path / "logscrub-ingest.service"
    ingest.write_text(ingest.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in run(analyze, "verify", *units)[1]


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_confined(name: str) -> None:
    """The measure of exposure of systemd of exposure (0 to 10) is at most 1 for each service."""
    analyze = needed("systemd-analyze")
    if "--offline" not in run(analyze, "--help")[1]:
        pytest.skip("this systemd-analyze cannot judge a unit file that is not loaded")
    unit = str(CONFIGS / "systemd" / name)
    code, text = run(analyze, "security", "--offline=yes", "--threshold=10", "--no-pager", unit)
    assert code == 0, text


def settings(name: str) -> dict[str, str]:
    """The settings of a unit; the last value counts."""
    return dict(re.findall(r"(?m)^(\w+)=(.*)$", (CONFIGS / "systemd" / name).read_text()))


def test_expiry_does_not_wait_for_ingest() -> None:
    """Deletion has a unit and a timer of its own; nothing ties it to ingest or lets it be left out unnoticed."""
    service, timer = settings("logscrub-expire.service"), settings("logscrub-expire.timer")
    ties = ("Requires", "Wants", "After", "BindsTo", "PartOf", "Condition")
    assert not [name for name in service if name.startswith(ties)]
    assert timer["Persistent"] == "true"


def commands(path: Path) -> list[list[str]]:
    """The calls of logscrub in a configuration file, or in the fenced blocks of a page, as words."""
    text = path.read_text()
    if path.suffix == ".md":
        text = "\n".join(re.findall(r"```(?:sh|ini|console)\n(.*?)```", text, re.DOTALL))
    lines = [line for line in text.splitlines() if not re.match(r"\s*#(?!:)", line)]
    # In the cron file `logscrub umask` is the user's column, not a call.
    found = re.findall(
        r"(?:^|[\s/])logscrub (?!umask )([a-z][^;>|\"\n]*)", "\n".join(lines), re.MULTILINE
    )
    return [shlex.split(call) for call in found]


SOURCES = sorted(path for path in CONFIGS.rglob("*logscrub*") if path.is_file())


def test_cron_file_has_the_form_of_cron_d() -> None:
    """Each line has five times, the user and a command; no `%`, a last line end, and no dot in the name."""
    path = CONFIGS / "cron" / "logscrub"
    text = path.read_text()
    assert text.endswith("\n")
    assert "." not in path.name
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    jobs = [line for line in lines if not re.fullmatch(r"[A-Z]+=\S+", line)]
    assert len(jobs) == 2
    for job in jobs:
        match = re.fullmatch(r"([0-5]?\d) (\*|\d{1,2}) (\*) (\*) (\*) (\S+) (.+)", job)
        assert match
        assert match[2] == "*" or int(match[2]) < 24
        assert match[6] == "logscrub"
        assert "%" not in match[7]


def test_crontab_accepts_the_lines(tmp_path: Path) -> None:
    """`crontab -n` reads the lines, without the column for the user that only /etc/cron.d has."""
    crontab = needed("crontab")
    text = (CONFIGS / "cron" / "logscrub").read_text()
    own = tmp_path / "tab"
    own.write_text(re.sub(r"(?m)^((?:\S+ ){5})logscrub ", r"\1", text))
    code, said = run(crontab, "-n", str(own))
    if "invalid option" in said:
        pytest.skip("this crontab has no check without installing")
    assert code == 0, said


def test_cron_and_timers_do_the_same() -> None:
    """The two schedules call logscrub with the same words."""
    scheduled = [name for name in SERVICES if name.replace(".service", ".timer") in UNITS]
    timed = [shlex.split(settings(name)["ExecStart"])[1:] for name in scheduled]
    assert sorted(timed) == sorted(commands(CONFIGS / "cron" / "logscrub"))


def test_every_call_is_one_that_exists() -> None:
    """Each command and option of the files and of the page is in the command line's own help."""
    pages = [PAGE, PAGE.with_name("live.md")]
    found = [(path.name, call) for path in [*SOURCES, *pages] for call in commands(path)]
    assert {"ingest", "follow", "filter", "expire", "status", "policy"} <= {
        call[0] for _, call in found
    }
    helps: dict[tuple[str, ...], str] = {}
    for place, call in found:
        group = tuple(call[:2]) if call[0] == "policy" else (call[0],)
        if group not in helps:
            helps[group] = _help(group)
        for option in [word for word in call if re.match(r"--?[a-z]", word)]:
            assert re.search(rf"{option}\b", helps[group]), f"{place}: {group} has no {option}"


def _help(group: tuple[str, ...]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "logscrub", *group, "--help"],
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"logscrub {' '.join(group)} does not exist"
    return done.stdout


def test_page_names_files_that_exist() -> None:
    """Each path below `configs/` on the page is there."""
    paths = set(re.findall(r"configs/[a-z]+/[a-z.*-]+", PAGE.read_text()))
    assert len(paths) >= 5
    assert [path for path in sorted(paths) if not list(ROOT.glob(path))] == []
