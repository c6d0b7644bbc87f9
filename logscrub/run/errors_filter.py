"""Error logs through `filter`: the same accounting as for access logs, and text only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pyarrow as pa

from logscrub.errors import PolicyError
from logscrub.formats import errorlog
from logscrub.formats.lines import lines_of, together
from logscrub.schema import MAX_LINE, REASONS, Parsed, Reason
from logscrub.scrubbers import address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logscrub.policy import Policy
    from logscrub.schema import Block
    from logscrub.scrubbers.time import Precision

KINDS: Final[dict[str, Literal["nginx", "apache"]]] = {
    "nginx-error": "nginx", "apache-error": "apache",
}  # fmt: skip
"""What users call them."""
_NOTHING: Final = "-"
_CLOCK: Final = "hh:mm:ss"
_LEFT: Final[dict[Precision, int]] = {"minute": 5, "hour": 2, "day": 0}
"""How much of the clock is left; the rest becomes zeros."""
_GOOD: Final = 255


@dataclass(frozen=True, slots=True)
class ErrorLog:
    """How the lines of an error log are scrubbed.

    Args:
        name: One of `KINDS`.
        policy: What is kept of addresses and times.
    """

    name: str
    policy: Policy


def error_log(name: str, policy: Policy) -> ErrorLog:
    """An error log under a policy.

    Raises:
        PolicyError: The policy makes tokens.
    """
    if policy.address.mode == "hash":
        raise PolicyError(
            f"the policy {policy.name} makes tokens, and error logs have none",
            hint="name a policy that keeps networks: --policy security-12m",
        )
    return ErrorLog(name, policy)


def scrub_errors(block: Block, work: ErrorLog) -> tuple[Parsed, pa.BinaryArray]:
    """Scrub the lines of one block.

    Returns:
        Where they went, and the scrubbed lines in their order, each with its line end.
    """
    lines = lines_of(block)
    bounds = zip(lines.starts.tolist(), lines.ends.tolist(), strict=True)
    texts = [block.padded[start:end] for start, end in bounds]
    blank = np.array([not text.strip(b" \t") for text in texts], np.bool_)
    reasons = np.array([_refused(text) for text in texts], np.uint8)
    tried = np.flatnonzero((reasons == _GOOD) & ~blank).tolist()
    found = errorlog.scrub([texts[i] for i in tried], KINDS[work.name], _mask(work.policy))
    out: list[bytes] = []
    for i, text in zip(tried, found, strict=True):
        line = text and _coarse(text, work)
        if line:
            out.append(line + b"\n")
        else:
            reasons[i] = REASONS.index(Reason.STRUCTURE)
    bad = (reasons != _GOOD) & ~blank
    rejects = together([lines.of(bad).rejects(reasons[bad]), block.overlong])
    parsed = Parsed(len(out), {}, rejects, int(blank.sum()), formats={work.name: len(out)})
    return parsed, pa.array(out, pa.binary())


def _refused(text: bytes) -> int:
    if len(text) > MAX_LINE:
        return REASONS.index(Reason.TOO_LONG)
    return REASONS.index(Reason.BINARY) if b"\0" in text else _GOOD


def _mask(policy: Policy) -> Callable[[list[str]], list[str]]:
    """Addresses as the policy shows them."""
    rule = policy.address

    def mask(addresses: Sequence[str]) -> list[str]:
        if rule.mode == "drop":
            return [_NOTHING] * len(addresses)
        read = address.parse(pa.array(addresses, pa.string()))
        shown = address.network_address(read, v4=rule.ipv4_bits, v6=rule.ipv6_bits)
        return [one or _NOTHING for one in shown.to_pylist()]

    return mask


def _coarse(line: bytes, work: ErrorLog) -> bytes | None:
    """The line with its time as coarse as the policy says, on the server's clock; None where no clock is found."""
    precision = work.policy.time.precision
    start = line.find(b":") - 2
    end = start + len(_CLOCK)
    clock = line[start:end]
    parts = clock.split(b":")
    if start < 0 or len(parts) != 3 or not all(len(part) == 2 and part.isdigit() for part in parts):
        return None
    fraction = end
    if line[end : end + 1] == b".":
        fraction += 1
        while line[fraction : fraction + 1].isdigit():
            fraction += 1
    left = _LEFT.get(precision, len(_CLOCK))
    clock = clock[:left] + b"00:00:00"[left:]
    kept = line[end:fraction][:4] if precision == "millisecond" else b""
    return line[:start] + clock + kept + line[fraction:]
