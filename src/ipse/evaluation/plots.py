"""The report's plots, each as one SVG that needs nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ipse.errors import missing_extra
from ipse.evaluation.run import GENERIC, Result, Whose
from ipse.evaluation.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["gain_by_history", "gains"]

_OWN = "#0f766e"
_OTHER = "#c2700c"
_INK = "#475569"

_STYLE: Any = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "svg.fonttype": "path",
    "svg.hashsalt": "ipse",
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def gains(result: Result, table: Sequence[Row]) -> str:
    """Draw every person's gain over the generic model under every method.

    Args:
        result: What was measured.
        table: Its rows.

    Returns:
        The plot as SVG.
    """
    methods = [row for row in table if row.gain]
    with _figure(7.2, 0.9 + 0.62 * len(methods)) as figure:
        axes = figure.add_subplot()
        for line, row in enumerate(reversed(methods)):
            own, other = _gain(result, row.method, "own"), _gain(result, row.method, "other")
            _dots(axes, list(own.values()), line + 0.16, _OWN)
            _dots(axes, list(other.values()), line - 0.16, _OTHER)
        axes.axvline(0, color=_INK, linewidth=1)
        axes.set_yticks(range(len(methods)), [row.method for row in reversed(methods)])
        axes.set_xlabel("gain over the generic model, nats per token (right is better)")
        axes.tick_params(axis="y", length=0)
        _legend(axes)
        return _svg(figure)


def gain_by_history(result: Result, method: str, records: Mapping[str, int]) -> str:
    """Draw every person's gain under one method against how many records they have.

    Args:
        result: What was measured.
        method: The method.
        records: Each person's number of records.

    Returns:
        The plot as SVG.
    """
    with _figure(7.2, 3.8) as figure:
        axes = figure.add_subplot()
        own, other = _gain(result, method, "own"), _gain(result, method, "other")
        across = [records[user] for user in own]
        axes.vlines(across, list(own.values()), list(other.values()), color=_INK, alpha=0.4)
        for values, color in ((own, _OWN), (other, _OTHER)):
            axes.scatter(across, list(values.values()), s=40, color=color, linewidth=0, zorder=3)
        axes.axhline(0, color=_INK, linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(ticks := [50, 100, 200, 400], [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("records in the person's history")
        axes.set_ylabel("gain, nats per token")
        _legend(axes)
        return _svg(figure)


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure, in inches, to be drawn in our style."""
    try:
        import matplotlib as mpl  # takes 0.5 s, which every command would pay
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "eval") from error
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height))


def _gain(result: Result, method: str, whose: Whose) -> dict[str, float]:
    base = result.cell(GENERIC).per_person
    cell = result.cell(method, whose).per_person
    return {user: base[user] - cell[user] for user in base}


def _dots(axes: Axes, values: Sequence[float], height: float, color: str) -> None:
    axes.scatter(values, [height] * len(values), s=22, color=color, alpha=0.45, linewidth=0)
    mean = sum(values) / len(values)
    axes.plot([mean, mean], [height - 0.15, height + 0.15], color=color, linewidth=2.6)


def _legend(axes: Axes) -> None:
    for label, color in (("own records", _OWN), ("another person's records", _OTHER)):
        axes.scatter([], [], s=34, color=color, label=label)
    axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
