"""The policy that a dataset is pinned to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from logscrub import profiles
from logscrub.dataset import output_error, sync_folder
from logscrub.errors import OutputError, PolicyError
from logscrub.policy import compare, digest, dump, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logscrub.dataset import Dataset
    from logscrub.ledger import Ledger
    from logscrub.policy import Policy


def pinned_policy(out: Dataset) -> Policy | None:
    """The policy of a dataset, None for a new one."""
    try:
        out.policy.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise output_error(error, out.policy) from None
    return load(profiles.read_file(out.policy), name=str(out.policy))


def ruling_policy(out: Dataset, ledger: Ledger) -> Policy:
    """The policy that the ledger recorded last, whatever became of `policy.toml`.

    Raises:
        OutputError: There is none, because the first ingest was stopped before it began.
    """
    text = ledger.policy()
    if text is None:
        raise OutputError(
            f"the dataset {out.root} has no policy yet", hint="run the first ingest again"
        )
    return load(text, name=str(out.policy))


def policy_of(out: Dataset, wish: str) -> Policy:
    """The policy that a run has to use: the dataset's own, or for a new one the wish or the default.

    Raises:
        PolicyError: The wish differs from the policy of the dataset.
    """
    pinned = pinned_policy(out)
    if pinned is None:
        return profiles.read(wish or profiles.DEFAULT)[0]
    if wish:
        wanted, _ = profiles.read(wish)
        if digest(wanted) != digest(pinned):
            raise refuse_other_policy(
                [f"{c.key} is {c.old} there and {c.new} here" for c in compare(pinned, wanted)],
                out.root,
            )
    return pinned


def hold_to(out: Dataset, ledger: Ledger, policy: Policy, *, stamp: str) -> None:
    """Pin a dataset to its first policy, and refuse one that nobody applied.

    Args:
        out: The dataset, held by its one writer.
        ledger: Its ledger.
        policy: What the run uses, from `policy.toml` or the command line.
        stamp: Now, ISO 8601.

    Raises:
        PolicyError: `policy.toml` was edited or lost.
    """
    recorded = ledger.policy()
    if recorded is None or not ledger.sources():
        if recorded is None or digest(load(recorded, name="")) != digest(policy):
            ledger.record_policy(
                digest(policy), policy=dump(policy), reason="first ingest", changes=(), at=stamp
            )
    elif digest(load(recorded, name="")) != digest(policy):
        raise PolicyError(
            f"{out.policy} is not the policy that was applied to this dataset",
            hint=f"apply it with a reason: logscrub policy apply {out.root} --policy FILE --reason …",
        )
    if pinned_policy(out) is None:
        write_policy(out, policy)


def write_policy(out: Dataset, policy: Policy) -> None:
    """Write `policy.toml`, durably.

    Raises:
        OutputError: It cannot be written.
    """
    draft = out.policy.with_suffix(".new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(dump(policy))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out.policy)
        sync_folder(out.root)
    except OSError as error:
        raise output_error(error, out.policy) from None


def refuse_other_policy(changes: Sequence[str], root: Path) -> PolicyError:
    """The error for a run under another policy than the dataset's."""
    shown = "; ".join(changes)
    return PolicyError(
        f"the dataset {root} has another policy: {shown}",
        hint=f"leave out --policy to use its own, or change it: logscrub policy apply {root} --policy FILE --reason …",
    )
