"""The policy that a dataset is pinned to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from logscrub import profiles
from logscrub.dataset import output_error, sync_folder
from logscrub.errors import BusyError, OutputError, PolicyError
from logscrub.policy import compare, digest, dump, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logscrub.dataset import Dataset
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


def own_policy(out: Dataset) -> Policy:
    """The policy of a dataset that has one.

    Raises:
        OutputError: It has none, because its first ingest was stopped before it began.
    """
    found = pinned_policy(out)
    if found is None:
        raise OutputError(
            f"the dataset {out.root} has no policy yet", hint="run the first ingest again"
        )
    return found


def policy_of(out: Dataset, wish: str) -> tuple[Policy, bool]:
    """The policy that a run has to use.

    Returns:
        The policy, and whether the dataset is new and has to be pinned to it.

    Raises:
        PolicyError: The wish differs from the policy of the dataset.
    """
    pinned = pinned_policy(out)
    if pinned is None:
        wanted, _ = profiles.read(wish or profiles.DEFAULT)
        return wanted, True
    if wish:
        wanted, _ = profiles.read(wish)
        if digest(wanted) != digest(pinned):
            raise refuse_other_policy(
                [f"{c.key} is {c.old} there and {c.new} here" for c in compare(pinned, wanted)],
                out.root,
            )
    return pinned, False


def pin(out: Dataset, policy: Policy, *, instead: bool = False) -> None:
    """Write the policy of a dataset.

    Args:
        out: The dataset, held by its one writer.
        policy: Which.
        instead: In place of the one it has.

    Raises:
        BusyError: It has got another one in the meantime.
        OutputError: It cannot be written.
    """
    found = pinned_policy(out)
    if found is not None and not instead and digest(found) != digest(policy):
        raise BusyError(
            "another process gave this dataset a policy just now", hint="run the command again"
        )
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
