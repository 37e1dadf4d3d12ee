"""Measure what the documentation shows: run `ipse demo --json` and keep it with what it ran on.

    python runs/demo_results.py --people 40

takes the flags of `ipse demo` and writes `docs/results/demo.json`; `make docs` then writes the
pages that show it. A report goes to `ipse-demo/`, as always.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ipse.cli import app

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "demo.json"
LIBRARIES = ("ipse", "numpy", "torch", "transformers")


def commit() -> str:
    """Give the commit that ran, marked where the code of the package was changed since."""
    head = _git("rev-parse", "--short=12", "HEAD")
    return head + ("+changes" if _git("status", "--porcelain", "src/ipse") else "")


def hardware() -> str:
    """Give the processor's name and how many cores this process may use."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = found[1].strip() if found else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def measure(flags: list[str]) -> dict[str, Any]:
    """Run the demo.

    Args:
        flags: Flags of `ipse demo`.

    Returns:
        What it prints with `--json`, with the command, the date and what it ran on.
    """
    written = io.StringIO()
    with redirect_stdout(written):
        try:
            app(["demo", *flags, "--json"])
        except SystemExit as stop:
            if stop.code:
                raise
    demo = json.loads(written.getvalue())
    demo["report"] = Path(demo["report"]).name  # where it was written is nobody's business
    return {
        "command": " ".join(["ipse demo", *flags]),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
        "hardware": hardware(),
        "versions": {"python": platform.python_version()} | {n: version(n) for n in LIBRARIES},
        "demo": demo,
    }


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    found = measure(sys.argv[1:])
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.stderr.write(f"Wrote {RESULTS.relative_to(ROOT)}. Next: make docs\n")
