"""The command line: options in, one call, printing out. One file per command or group."""

from __future__ import annotations

import errno
import gc
import os
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from pathlib import Path

import typer
import typer.main

from logscrub.cli.terminal import open_standard_streams, say, show_error
from logscrub.errors import CLOSED_PIPE, INTERRUPTED, LogscrubError, UsageError, exit_codes

COMMANDS = ("ingest", "follow", "filter", "expire", "compact", "status", "verify", "query")
GROUPS = ("policy", "keys", "formats", "ledger")


def application(wanted: str = "") -> typer.Typer:
    """The command line as Typer knows it.

    Args:
        wanted: The first argument; when it is a command, only that one is imported.
    """
    app = typer.Typer(
        name="logscrub",
        help="Turn web-server access logs into scrubbed Parquet, and delete it when its time is up.",
        epilog="\b\n" + "\n".join(["Exit codes:", *(f"{n:>5} {text}" for n, text in exit_codes())]),
        no_args_is_help=True,
        context_settings={"terminal_width": 100, "help_option_names": ["-h", "--help"]},
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    is_known = wanted in (*COMMANDS, *GROUPS)
    for name in (wanted,) if is_known else (*COMMANDS, *GROUPS):
        module = import_module(f"logscrub.cli.{name}")
        if name in GROUPS:
            app.add_typer(module.app)
        else:
            app.command(name)(module.command)
    return app


def _root(*, version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """Options before the command; `--version` is answered before anything is imported."""
    del version


def run(arguments: list[str]) -> int:
    """Carry out one command line.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code.
    """
    os.umask(0o027)
    open_standard_streams()
    try:
        command = typer.main.get_command(application(*arguments[:1]))
        _spare_pandas()
        _spare_what_is_loaded()
        gc.enable()
        # not through the command's main(), which answers a closed pipe in its own way
        with command.make_context("logscrub", list(arguments)) as context:
            result = command.invoke(context)
        sys.stdout.flush()
        _spare_what_is_loaded()
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 — a traceback could quote a line; a panic in Rust is no Exception
        return _ended_by(error)
    return int(result or 0)


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Refuse pandas, and know nothing else."""
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def _spare_pandas() -> None:
    """Let pyarrow look for pandas now, once for all, and find none: importing it takes half a second for nothing."""
    if "pyarrow" in sys.modules:
        absent = _NoPandas()
        sys.meta_path.insert(0, absent)
        try:
            sys.modules["pyarrow"].array([])
        finally:
            sys.meta_path.remove(absent)


def _spare_what_is_loaded() -> None:
    """Keep the search for garbage away from modules and tables that stay to the end.

    Not with DuckDB, which takes what is left of it at the exit for leaks, and says so.
    """
    if "duckdb" not in sys.modules:
        gc.freeze()


def _ended_by(error: BaseException) -> int:
    """Say what stopped the command, without a value from a line, and give the exit code."""
    if isinstance(error, BrokenPipeError):
        # Python would complain once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return CLOSED_PIPE
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    if type(error).__name__ == "NoArgsIsHelpError":
        say(str(error))
        return UsageError.exit_code
    known = error if isinstance(error, LogscrubError) else _usage(error) or _unexpected(error)
    show_error(known)
    return known.exit_code


def _usage(error: BaseException) -> UsageError | None:
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        return None
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "logscrub"
    text = format_message().rstrip(".")
    return UsageError(text[:1].lower() + text[1:], hint=f"see {path} --help")


def _unexpected(error: BaseException) -> LogscrubError:
    """A defect of logscrub or a refusal of the system: say where, never with values."""
    if isinstance(error, OSError):
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        return LogscrubError(
            f"the operating system refused something ({name})", hint="check the disk and the rights"
        )
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "?"
    return LogscrubError(
        f"internal error {type(error).__name__} at {where}",
        hint="nothing uncommitted was kept; please report this line, it holds no data",
    )
