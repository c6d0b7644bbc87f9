"""Every way logscrub stops, with its exit code and what to do about it.

An error holds short fields and builds its text from them: *what, where, what to do*. None of them ever holds a
log line, an address, a user agent or a key, because error texts end up in journals and tickets.
"""

from __future__ import annotations

from typing import ClassVar


class LogscrubError(Exception):
    """Base of everything logscrub raises on purpose.

    Args:
        what: What is wrong and where, lower case, without a full stop.
        hint: What to do about it, in the same style.
    """

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "something went wrong that is not in this table"

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the hint when a worker process hands the error to its parent."""
        return (_rebuild, (type(self), self.what, self.hint))


def _rebuild(kind: type[LogscrubError], what: str, hint: str) -> LogscrubError:
    return kind(what, hint=hint)


class UsageError(LogscrubError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = 2
    meaning = "wrong use of the command line"


class PartialError(LogscrubError):
    """Some sources were refused or damaged; the others are committed."""

    exit_code = 3
    meaning = "partly done: some sources were refused or damaged, the rest is committed"


class PolicyError(LogscrubError):
    """The policy is wrong, or differs from the one the dataset is pinned to."""

    exit_code = 4
    meaning = "the policy is wrong, or not the one of this dataset"


class PolicyChangedError(PolicyError):
    """Another policy was applied while rows were scrubbed under the one before."""


class FormatError(LogscrubError):
    """The format is unknown, cannot be compiled, or does not fit the lines."""

    exit_code = 5
    meaning = "the format is unknown, or does not fit the lines"


class SourceError(LogscrubError):
    """The input cannot be read, or is damaged."""

    exit_code = 6
    meaning = "the input cannot be read, or is damaged"


class PastDueError(LogscrubError):
    """The source is older than the policy lets anyone keep."""

    exit_code = 7
    meaning = "the input is past due: the policy says it must be gone already"


class OutputError(LogscrubError):
    """The dataset cannot be written or read: rights, disk, or damage."""

    exit_code = 8
    meaning = "the dataset cannot be written or read"


class FullError(OutputError):
    """There is no room; what was not committed is dropped, and can be read again."""


class LedgerError(OutputError):
    """The ledger is missing, damaged, or contradicts the files."""

    exit_code = 9
    meaning = "the ledger is missing, damaged, or contradicts the files"


class BusyError(LogscrubError):
    """Another logscrub process works on the same dataset."""

    exit_code = 10
    meaning = "another logscrub process works on this dataset"


class KeyFileError(LogscrubError):
    """A key is missing, unreadable, or not private to its owner."""

    exit_code = 11
    meaning = "a key is missing, malformed, or not private to its owner"


class GeoError(LogscrubError):
    """A geo database is of the wrong kind, truncated or corrupt."""

    exit_code = 12
    meaning = "a geo database is of the wrong kind, truncated or corrupt"


class QueryError(LogscrubError):
    """The query is not one SELECT, or the database refused it."""

    exit_code = 13
    meaning = "the query is not one SELECT, or failed"


class OverdueError(LogscrubError):
    """Something that had to be gone is still there."""

    exit_code = 14
    meaning = "something is past due and still there"


class VerifyError(LogscrubError):
    """Verification found something wrong."""

    exit_code = 15
    meaning = "verification found something wrong"


INTERRUPTED = 130
"""Exit code after Ctrl-C, once what was read is committed."""
CLOSED_PIPE = 141
"""Exit code when the reader of standard output went away."""


def exit_codes() -> list[tuple[int, str]]:
    """The table of exit codes, as `--help` and the documents show it."""
    table = {
        0: "done",
        INTERRUPTED: "stopped by Ctrl-C",
        CLOSED_PIPE: "the reader of the output went away",
    }
    pending: list[type[LogscrubError]] = [LogscrubError]
    while pending:
        kind = pending.pop()
        table[kind.exit_code] = kind.meaning
        pending.extend(kind.__subclasses__())
    return sorted(table.items())
