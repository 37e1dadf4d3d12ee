"""Measure the engine, and keep what was found for `docs/results/engine.md`.

    python runs/engine.py [--vllm PYTHON]     about half an hour; nothing else should run meanwhile

The page is made from `docs/results/engine.json` by `python -m runs.make_docs`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["FOUND", "figures"]

ROOT = Path(__file__).parents[1]
FOUND = ROOT / "docs" / "results" / "engine.json"
SCRIPTS = ("decode", "serving", "soak", "scoring", "training")

BARS = {
    "mixed_over_base_8": "at least 0.85",
    "mixed_over_base_32": "at least 0.85",
    "mixed_over_peft_8": "at least 1.8",
    "mixed_over_peft_32": "at least 1.8",
    "zipf_over_8": "at least 0.7",
    "two_stream_cost": "at most 2.2",
    "cached_over_recompute": "at least 10",
    "serving_over_generate": "at least 4",
    "many_adapters_over_vllm": "at least 1.3",
    "joint_over_loop_8x1": "at least 1.5",
    "joint_over_loop_8x2": "at least 1.5",
    "joint_over_loop_8x4": "at least 1",
    "joint_over_loop_32x1": "at least 1.5",
    "joint_over_trainer_8": "at least 2",
    "unended": "0",
    "memory_growth": "at most 1.05",
}
"""What was to be reached."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vllm", default="", help="the Python of an environment with vLLM")
    parser.add_argument("--only", default="", choices=("", *SCRIPTS), help="measure one part again")
    options = parser.parse_args()
    found = json.loads(FOUND.read_text("utf-8")) if FOUND.is_file() else {}
    for script in [options.only] if options.only else SCRIPTS:
        command = [f"benchmarks/{script}.py"]
        if script == "serving" and options.vllm:
            command += ["--vllm", options.vllm]
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "found.json")
            subprocess.run([sys.executable, *command, "--save", str(kept)], cwd=ROOT, check=True)
            found[script] = json.loads(kept.read_text("utf-8"))
        found[script] |= {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "command": " ".join(["python", *command]).replace(options.vllm or "\0", "PYTHON"),
        }
        FOUND.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def figures() -> str:
    """Write what was found as tables, one a script."""
    return "\n".join(_tables(json.loads(FOUND.read_text("utf-8"))))


def _tables(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    for part in found.values():
        yield f"**{part['title']}.** `{part['command']}`, {part['date']}, {part['where']}."
        yield ""
        yield "| figure | measured | range | bar |\n|---|--:|---|---|"
        for name, value in part["figures"].items():
            cells = (f"{value:.3g}", part["units"].get(name, ""), BARS.get(name, ""))
            yield f"| `{name}` | {' | '.join(cells)} |"
        yield ""


if __name__ == "__main__":
    main()
