"""What every benchmark shares: three flags, a header of where it ran, a table, one line of JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

__all__ = ["arguments", "report", "seconds"]

sys.path.append(str(Path(__file__).parents[1]))  # the small model of the tests


def arguments(description: str | None, **more: str) -> argparse.Namespace:
    """Read the flags of every benchmark, and further options, each with what it is."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--save", default="", metavar="FILE", help="keep everything as JSON")
    for name, what in more.items():
        parser.add_argument(f"--{name}", default="", help=what)
    return parser.parse_args()


def seconds(call: Callable[[], object]) -> float:
    """Give how long a call takes, in seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def report(
    title: str,
    figures: Mapping[str, float],
    options: argparse.Namespace,
    packages: tuple[str, ...] = ("ipse",),
    units: Mapping[str, str] | None = None,
) -> None:
    """Print the figures as a table and, if it was asked for, as one last line of JSON.

    Args:
        title: What was measured.
        figures: The numbers by name; names do not change, for other programs read them.
        options: What `arguments` gave.
        packages: Whose versions matter here.
        units: The unit of each figure that its name does not say.
    """
    table = Table("figure", "value", "unit", title=title + (" (quick)" if options.quick else ""))
    for name, value in figures.items():
        table.add_row(
            name, f"{value:,.4g}" if value < 100 else f"{value:,.0f}", (units or {}).get(name, "")
        )
    console = Console()
    where = _where(packages)
    console.print(where, table, sep="\n")
    if options.save:
        found = {"title": title, "where": where, "figures": figures, "units": units or {}}
        Path(options.save).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if options.json:
        print(json.dumps(dict(figures)))  # noqa: T201


def _where(packages: tuple[str, ...]) -> str:
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    python = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {python}, {versions}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
