"""How plots look: one style, figures in inches, and SVG that needs nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ipse.errors import missing_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLORS", "INK", "OTHER", "OWN", "figure", "svg"]

OWN = "#0f766e"
OTHER = "#c2700c"
INK = "#475569"
COLORS = ("#0f766e", "#c2700c", "#4f46e5", "#be185d", "#0369a1", "#65a30d", "#7c3aed", "#b45309")

_STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "svg.fonttype": "path",
    "svg.hashsalt": "ipse",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure, in inches, to be drawn in our style."""
    try:
        import matplotlib as mpl  # takes 0.5 s, which every command would pay
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "eval") from error
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height))


def svg(drawn: Figure) -> str:
    """Give a figure as SVG, the same again for the same figure."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
