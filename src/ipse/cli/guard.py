"""Every error as one line on stderr, with the exit status that says whose it is."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from ipse.cli.output import warn
from ipse.errors import IpseError, UsageError
from ipse.text import one_line

__all__ = ["INTERRUPTED", "Guarded"]

INTERRUPTED = 130

_DEBUG = "--debug"


class Guarded(TyperGroup):
    """A group of commands that never shows a traceback unless it is asked for with `--debug`."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run what was typed, and exit with its status; nothing typed asks for help."""
        typed = list(sys.argv[1:] if args is None else args)
        try:
            options["standalone_mode"] = False
            status = TyperGroup.main(self, typed or ["--help"], *rest, **options)
        except Exception as error:  # the last one who can say it in one line
            if _DEBUG in typed:
                traceback.print_exception(error)
            status = _report(error)
        sys.exit(status if isinstance(status, int) else 0)


def _report(error: Exception) -> int:
    """Say what went wrong, and give the exit status."""
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    if isinstance(error, IpseError):
        warn(f"ipse: {one_line(str(error))}")
        return 2 if isinstance(error, UsageError) else 1
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        advice = f". Try: {context.command_path} --help" if context else ""
        message = one_line(error.format_message()).replace("Value error, ", "").rstrip(".")
        warn(f"ipse: {message}{advice}")
        return error.exit_code
    kind = type(error).__name__
    warn(f"ipse: {kind}: {one_line(str(error))} (for the traceback: ipse {_DEBUG} ...)")
    return 1
