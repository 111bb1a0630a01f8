# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib>=3.8"]
#
# [tool.uv]
# exclude-newer = "2026-11-20T00:00:00Z"
# ///
"""Growth curves as one SVG, from the figures that ``run.py --json`` keeps.

    uv run benchmarks/draw.py FIGURES.json docs/growth.svg

A script of its own: albumup is not to be measured beside matplotlib's numpy, which sqlite-utils
imports if it is there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib


def draw(points: list[dict[str, float]], pushes: list[list[float]], to: str) -> None:
    """``points``: one a size of journal (scale.Point); ``pushes``: photos, and seconds for each."""
    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "svg.hashsalt": "albumup",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    tasks = [point["tasks"] for point in points]
    left.plot(tasks, [point["status"] for point in points], "o-", label="status")
    left.plot(
        tasks, [point["first_byte"] for point in points], "s-", label="resume, to its first byte"
    )
    left.plot(tasks, [point["claim"] for point in points], "^-", label="claim of 64 photos")
    left.set(title="Seconds", xscale="log", yscale="log", xlabel="tasks in the journal")
    left.legend(frameon=False)
    middle.plot(tasks, [point["memory"] / 1e6 for point in points], "o-")
    middle.set(
        title="Peak memory of resume, MB",
        xscale="log",
        xlabel="tasks in the journal",
        ylim=(0, 100),
    )
    right.plot([count for count, _ in pushes], [seconds * 1e6 for _, seconds in pushes], "o-")
    right.set(title="A push, µs a photo", xscale="log", xlabel="photos pushed")
    right.set_ylim(bottom=0)
    figure.savefig(to, metadata={"Date": None})


if __name__ == "__main__":
    figures = json.loads(Path(sys.argv[1]).read_text())
    draw(figures["points"], figures["pushes"], sys.argv[2])
