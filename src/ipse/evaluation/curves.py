"""Plots of how something grows, or is traded for something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ipse.evaluation.drawing import COLORS, INK, figure, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bands", "curves", "lines"]


def bands(found: Mapping[str, Sequence[tuple[float, float, float]]], x: str, y: str) -> str:
    """Draw how something adds up step by step, a curve each in its band, with a legend.

    Args:
        found: By name, of step 1, 2, ...: what was found, and the ends of its band.
        x: What a step is.
        y: What is up.

    Returns:
        The plot as SVG.
    """
    with figure(7.2, 4.2) as drawn:
        axes = drawn.add_subplot()
        for number, (name, points) in enumerate(found.items()):
            color = COLORS[number % len(COLORS)]
            means, low, high = zip(*points, strict=True)
            steps = range(1, len(points) + 1)
            axes.fill_between(steps, low, high, color=color, alpha=0.12, linewidth=0)
            axes.plot(steps, means, color=color, label=name, gid=name, linewidth=1.8)
        axes.set_ylim(bottom=0)
        return _titled(drawn, x, y)


def lines(found: Mapping[str, Sequence[tuple[float, float, float, float]]], x: str, y: str) -> str:
    """Draw how something grows, a line each with its intervals.

    Args:
        found: By name, where it was measured, what was found there, and the ends of its interval.
        x: What is across; places stand equally far apart, whatever lies between them.
        y: What is up.

    Returns:
        The plot as SVG.
    """
    places = sorted({place for points in found.values() for place, *_ in points})
    with figure(7.2, 4.2) as drawn:
        axes = drawn.add_subplot()
        axes.axhline(0, color=INK, linewidth=1)
        for number, (name, points) in enumerate(found.items()):
            color = COLORS[number % len(COLORS)]
            aside = 0.06 * (number - (len(found) - 1) / 2)  # so that no interval hides another
            across, means, low, high = zip(*points, strict=True)
            shown = [places.index(place) + aside for place in across]
            axes.vlines(shown, low, high, color=color, alpha=0.5, linewidth=1.6)
            axes.plot(shown, means, "o-", color=color, label=name, linewidth=1.8, markersize=5)
        axes.set_xticks(range(len(places)), [f"{place:g}" for place in places])
        return _titled(drawn, x, y)


def curves(found: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> str:
    """Draw how one thing is traded for another, a curve each; a single point is a star.

    Args:
        found: By name, points in order, of (across, up).
        x: What is across.
        y: What is up.

    Returns:
        The plot as SVG.
    """
    with figure(7.2, 5.0) as drawn:
        axes = drawn.add_subplot()
        for number, (name, points) in enumerate(found.items()):
            color = COLORS[number % len(COLORS)]
            across, up = zip(*points, strict=True)
            marker, size = ("*", 13) if len(points) == 1 else ("o", 5)
            axes.plot(across, up, marker=marker, markersize=size, color=color, label=name)
        return _titled(drawn, x, y)


def _titled(drawn: Figure, x: str, y: str) -> str:
    """Say what is across and what is up, add the legend, and give the SVG."""
    (axes,) = drawn.axes
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    aside = (1.01, 1.0)  # where it hides nothing
    axes.legend(frameon=False, fontsize=9.5, loc="upper left", bbox_to_anchor=aside)
    return svg(drawn)
