"""Plots of what the suite found, drawn by Matplotlib where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def bars(found: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Throughput of each contestant, the fastest on top."""
    if find_spec("matplotlib") is None:
        return
    figure, axes = _axes(height=0.32 * len(found) + 1)
    ordered = sorted(found, key=lambda who: found[who]["mb_per_second"])
    speeds = [found[who]["mb_per_second"] for who in ordered]
    ours = [who.startswith(("ingest", "filter")) for who in ordered]
    drawn = axes.barh(ordered, speeds, color=["#2a6f97" if own else "#b8b8b8" for own in ours])
    axes.bar_label(drawn, fmt="%.0f", padding=3)
    axes.set_xlabel("MB of log a second")
    axes.margins(x=0.08)
    figure.savefig(path, bbox_inches="tight")


def lines(found: Mapping[str, Mapping[float, float]], path: Path, *, across: str) -> None:
    """Throughput of `ingest` against size or cores, a line for each name."""
    if find_spec("matplotlib") is None:
        return
    figure, axes = _axes(height=3.2)
    for name, points in found.items():
        axes.plot(list(points), list(points.values()), marker="o", label=name)
    axes.set_xlabel(across)
    axes.set_ylabel("MB of log a second")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    figure.savefig(path, bbox_inches="tight")


def _axes(*, height: float) -> tuple[Any, Any]:
    import matplotlib as mpl  # noqa: PLC0415 — not installed everywhere

    mpl.use("svg")
    # text that can be read and searched, and no time of drawing in the file
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "logscrub"})
    from matplotlib.figure import Figure  # noqa: PLC0415 — as above

    figure = Figure(figsize=(7.5, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
