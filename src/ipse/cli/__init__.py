"""The command line: `ipse COMMAND`, one file for each group of commands.

A command answers on stdout, in words or with `--json` as one document, and says everything else on
stderr. Exit status: 0 done, 1 it failed, 2 the caller can mend it, 130 interrupted.
"""

from ipse.cli.commands import app, main

__all__ = ["app", "main"]
