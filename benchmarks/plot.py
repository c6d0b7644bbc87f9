"""Plots of what the suite found, drawn by Matplotlib where it is installed.

`python -m benchmarks.plot FOLDER` draws those of `suite.json` in a folder of results again.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLOURS: Final = {"logscrub": "#2a6f97", "others": "#b8b8b8", "floor": "#e0c48c"}
_SPEED: Final = "MB of log a second"


def draw(result: Mapping[str, Any], folder: Path) -> None:
    """Draw throughput of each contestant, and of `ingest` against size and cores.

    Args:
        result: What `suite.json` holds.
        folder: Gets `suite.svg`, `by-size.svg` and `by-cores.svg`; nothing without Matplotlib.
    """
    if find_spec("matplotlib") is None:
        return
    _bars(result["contestants"], folder / "suite.svg")
    for across, points in result["growth"].items():
        if points:
            _line(points, folder / f"by-{across}.svg", across=across)


def _bars(found: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """The fastest on top."""
    figure, axes = _axes(height=0.32 * len(found) + 1)
    ordered = sorted(found, key=lambda who: found[who]["mb_per_second"])
    for kind, colour in _COLOURS.items():
        own = [who for who in ordered if _kind(who) == kind]
        if not own:
            continue
        drawn = axes.barh(
            [ordered.index(who) for who in own],
            [found[who]["mb_per_second"] for who in own],
            color=colour,
            label=kind,
        )
        axes.bar_label(drawn, fmt="%.0f", padding=3)
    axes.set_yticks(range(len(ordered)), ordered)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(_SPEED)
    axes.margins(x=0.08, y=0.01)
    axes.legend(frameon=False, loc="lower right")
    _save(figure, path)


def _kind(who: str) -> str:
    if who == "floor":
        return who
    return "logscrub" if who.startswith(("ingest", "filter")) else "others"


def _line(points: Sequence[Mapping[str, float]], path: Path, *, across: str) -> None:
    figure, axes = _axes(height=3.2)
    places = [point["at"] for point in points]
    speeds = [point["mb_per_second"] for point in points]
    axes.plot(places, speeds, marker="o", color=_COLOURS["logscrub"])
    for place, speed in zip(places, speeds, strict=True):
        axes.annotate(
            f"{speed:.0f}", (place, speed), (0, 8), textcoords="offset points", ha="center"
        )
    if across == "size":
        # each is some times the one before
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(places, [f"{place:,.0f}" for place in places])
    axes.set_xlabel({"size": "MB of log (logarithmic)", "cores": "cores"}[across])
    axes.set_ylabel(_SPEED)
    axes.set_ylim(0, 1.15 * max(speeds))
    axes.set_title("ingest", loc="left")
    _save(figure, path)


def _axes(*, height: float) -> tuple[Any, Any]:
    import matplotlib as mpl  # noqa: PLC0415 — not installed everywhere

    mpl.use("svg")
    # text that can be read and searched, and the same names inside for the same plot
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "logscrub"})
    from matplotlib.figure import Figure  # noqa: PLC0415 — as above

    figure = Figure(figsize=(7.5, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:  # noqa: ANN401 — not installed everywhere
    # the time of drawing would differ each time
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def main(argv: Sequence[str]) -> int:
    """Draw the plots of a folder again."""
    folder = Path(argv[0])
    draw(json.loads((folder / "suite.json").read_text(encoding="utf-8")), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
