"""A plot of curves with bands as SVG, the same bytes for the same numbers and any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Curve", "curves"]

Curve = Sequence[tuple[float, float, float]]
"""For 1, 2, … across: a height, and the ends of its band."""

_COLORS = ("#475569", "#c2700c", "#b45309", "#0f766e", "#4f46e5", "#be185d", "#0369a1", "#65a30d")
_WIDE, _HIGH, _LEFT, _RIGHT, _LOW, _TOP = 760, 420, 64, 230, 48, 16


def curves(found: Mapping[str, Curve], across: str, up: str) -> str:
    """Draw curves; each is named at its end.

    Args:
        found: The curves by name, all of one length.
        across: What the horizontal axis is.
        up: What the vertical axis is.

    Returns:
        The plot.
    """
    steps = max(len(curve) for curve in found.values())
    most = max(high for curve in found.values() for _, _, high in curve) or 1.0

    def x(step: float) -> float:
        return _LEFT + (step - 1) / max(1, steps - 1) * (_WIDE - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HIGH - _LOW - value / most * (_HIGH - _LOW - _TOP)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" '
        'font-family="sans-serif" font-size="13" fill="#475569">',
        f'<rect width="{_WIDE}" height="{_HIGH}" fill="white"/>',
    ]
    for tick in _ticks(most):
        lines.append(_line(_LEFT, y(tick), _WIDE - _RIGHT, y(tick), "#e2e8f0"))
        lines.append(_text(_LEFT - 8, y(tick) + 4, f"{tick:,.0f}", "end"))
    texts = (_text(x(t), _HIGH - _LOW + 20, f"{t:.0f}", "middle") for t in _ticks(steps) if t)
    lines.extend(texts)
    lines.append(_text((_LEFT + _WIDE - _RIGHT) / 2, _HIGH - 10, across, "middle"))
    lines.append(
        f'<g transform="translate(16 {(_HIGH - _LOW) / 2:.1f}) rotate(-90)">'
        f"{_text(0, 0, up, 'middle')}</g>"
    )
    names = _apart({name: y(curve[-1][0]) for name, curve in found.items()})
    for (name, curve), color in zip(found.items(), _COLORS * len(found), strict=False):
        over = [(x(n), y(high)) for n, (_, _, high) in enumerate(curve, 1)]
        below = [(x(n), y(max(0.0, low))) for n, (_, low, _) in enumerate(curve, 1)]
        band = " ".join(f"{a:.1f},{b:.1f}" for a, b in (*over, *below[::-1]))
        path = " ".join(f"{x(n):.1f},{y(mean):.1f}" for n, (mean, _, _) in enumerate(curve, 1))
        lines.append(f'<polygon points="{band}" fill="{color}" opacity="0.12"/>')
        lines.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        end = y(curve[-1][0])
        lines.append(_line(x(len(curve)), end, x(len(curve)) + 10, names[name] - 4, color))
        lines.append(_text(x(len(curve)) + 14, names[name], name, "start", color))
    return "\n".join([*lines, "</svg>", ""])


def _ticks(most: float) -> list[float]:
    step = next(
        base * 10.0**power for power in range(9) for base in (1, 2, 5)
        if most / (base * 10.0**power) <= 6
    )  # fmt: skip
    return [step * n for n in range(int(most / step) + 1)]


def _apart(heights: Mapping[str, float], least: float = 16) -> dict[str, float]:
    """Move labels down until none lies on another."""
    placed: dict[str, float] = {}
    last = -least
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        last = max(height + 4, last + least)
        placed[name] = last
    return placed


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def _text(x: float, y: float, text: str, anchor: str, color: str = "") -> str:
    fill = f' fill="{color}"' if color else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{fill}>{text}</text>'
