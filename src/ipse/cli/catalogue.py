"""The command `methods`: which ways to personalize there are."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from ipse.cli.call import Call, Method, command
from ipse.cli.output import table
from ipse.methods import PRESETS, known_methods
from ipse.methods import Method as Way
from ipse.route import methods_of, spelled
from ipse.text import cut

__all__ = ["methods"]


@command
def methods(call: Call, method: Method = None) -> None:
    """List the methods and their settings, or those of one composition as it is written."""
    chosen = [_of(each) for each in methods_of(method or "")]
    ways = chosen or [_defaults(way) for _, way in sorted(known_methods().items())]
    rows = [
        (
            way["name"],
            way["level"],
            way["paper"],
            way["base"] or "nothing",
            way["stores"],
            ", ".join(f"{key}={cut(str(value), 4)}" for key, value in way["settings"].items()),
        )
        for way in ways
    ]
    columns = ("method", "level", "arXiv", "made with", "stores per person", "settings")
    presets = {} if chosen else PRESETS | {"route": spelled()}
    shown = [table(("preset", "stands for"), sorted(presets.items()))] if presets else []
    call.answer({"methods": ways, "presets": presets}, table(columns, rows), *shown)


def _of(method: Way) -> dict[str, Any]:
    return {**_card(type(method)), "settings": method.settings}


def _defaults(way: type[Way]) -> dict[str, Any]:
    settings = {f.name: None if f.default is MISSING else f.default for f in fields(way)}
    return {**_card(way), "settings": settings}


def _card(way: type[Way]) -> dict[str, Any]:
    return {
        "name": way.name,
        "level": way.level,
        "paper": way.paper,
        "base": way.base,
        "stores": way.stores,
        "shared": way.shared,
        "trains": way.trains,
    }
