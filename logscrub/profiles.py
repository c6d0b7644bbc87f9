"""Policies by name or by file."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from logscrub.errors import PolicyError
from logscrub.policy import load

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from logscrub.policy import Policy

DEFAULT = "security-12m"
_MAX_BYTES = 2**20


def _folder() -> Traversable:
    packaged = resources.files("logscrub") / "configs"
    # a checkout keeps them at its top level; a wheel carries them inside the package
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "configs"


def names() -> list[str]:
    """The profiles that come with logscrub."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _folder().iterdir()
        if entry.name.endswith(".toml")
    )


def read(name: str) -> tuple[Policy, str]:
    """A policy and its text.

    Args:
        name: Of a profile, or the path of a TOML file.

    Raises:
        PolicyError: There is none, or it is wrong.
    """
    if name in names():
        text = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
        return load(text, name=name), text
    path = Path(name)
    if not path.is_file():
        close = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"the profiles are {', '.join(names())}"
        raise PolicyError(f"there is no policy {name}", hint=hint)
    return load(text := read_file(path), name=path.stem), text


def read_file(path: Path) -> str:
    """The text of a policy file.

    Raises:
        PolicyError: It cannot be read, or others may write it.
    """
    try:
        if path.stat().st_mode & 0o002:
            raise PolicyError(f"everybody may write the policy {path}", hint=f"chmod o-w {path}")
        if path.stat().st_size > _MAX_BYTES:
            raise PolicyError(
                f"the policy {path} is larger than 1 MiB", hint="this is not a policy file"
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise PolicyError(
            f"the policy {path} cannot be read", hint="check the path and its rights"
        ) from None
