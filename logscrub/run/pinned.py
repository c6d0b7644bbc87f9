"""The policy that a dataset is pinned to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logscrub import profiles
from logscrub.dataset import output_error, sync_folder
from logscrub.errors import PolicyError
from logscrub.policy import compare, digest, dump, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logscrub.dataset import Dataset
    from logscrub.policy import Policy


def pinned_policy(out: Dataset) -> Policy | None:
    """The policy of a dataset, None for a new one."""
    if not out.policy.is_file():
        return None
    return load(profiles.read_file(out.policy), name=str(out.policy))


def policy_of(out: Dataset, wish: str) -> tuple[Policy, str | None]:
    """The policy that a run has to use.

    Returns:
        The policy, and the text to pin when the dataset is new.

    Raises:
        PolicyError: The wish differs from the policy of the dataset.
    """
    pinned = pinned_policy(out)
    if pinned is None:
        wanted, _ = profiles.read(wish or profiles.DEFAULT)
        return wanted, dump(wanted)
    if wish:
        wanted, _ = profiles.read(wish)
        if digest(wanted) != digest(pinned):
            raise refuse_other_policy(
                [f"{c.key} is {c.old} there and {c.new} here" for c in compare(pinned, wanted)],
                out.root,
            )
    return pinned, None


def pin(out: Dataset, text: str) -> None:
    """Write the policy of a new dataset, once.

    Raises:
        OutputError: It cannot be written.
    """
    draft = out.policy.with_suffix(".new")
    try:
        draft.write_text(text, encoding="utf-8")
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
