"""What is run: tasks by models by methods, as inert data, with what identifies where it ran."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from ipse.errors import InvalidFile, UsageError, unknown
from ipse.evaluation.task import MEASURES, Measure, Task
from ipse.evaluation.tasks import open_task, task_spec
from ipse.lm import LM
from ipse.route import written

__all__ = ["GENERIC", "Grid", "always", "commit", "hardware", "versions"]

GENERIC = "generic"
"""The composition of no methods: the model that knows nobody."""

_BASELINES = ("recent", "full", "hybrid")

_LIBRARIES = ("ipse", "numpy", "scipy", "torch", "transformers", "rouge-score", "sacrebleu", "nltk")


@dataclass(frozen=True)
class Grid:
    """What to run. Together with where it runs it decides every result.

    Attributes:
        tasks: Tasks with their settings.
        methods: Compositions, the generic model apart.
        models: Models by name; "" is the one that the settings name.
        measures: What to do with items; empty is each task's first.
        people: The most people of a task.
        seed: Of whatever is drawn by chance.
        batch: How many items are measured together, about; a run that is killed loses no more.
        control: Whether methods also run with another person's records.
    """

    tasks: tuple[str, ...]
    methods: tuple[str, ...] = _BASELINES
    models: tuple[str, ...] = ("",)
    measures: tuple[Measure, ...] = ()
    people: int = 20
    seed: int = 0
    batch: int = 64
    control: bool = True

    def __post_init__(self) -> None:
        if not self.tasks:
            raise UsageError("name at least one task. Known: ipse bench --list")
        if strange := [name for name in self.measures if name not in get_args(Measure)]:
            raise unknown("measure", strange[0], MEASURES)
        for name, count in (("people", self.people), ("batch", self.batch)):
            if count < 1:
                raise UsageError(f"{name} must be at least 1; got {count}")
        # Written one way only, so that the same grid is the same run; generic goes without saying.
        methods = map(written, self.methods)
        object.__setattr__(self, "methods", _once(text for text in methods if text != GENERIC))
        tasks = [open_task(text) for text in self.tasks]
        object.__setattr__(self, "tasks", _once(map(task_spec, tasks)))
        for task in tasks:
            if not self.measures_of(task):
                raise UsageError(
                    f"{task.name!r} cannot be measured by {', '.join(self.measures)}. "
                    f"It can by {', '.join(task.measures)}"
                )

    def opened(self, root: Path | None) -> list[Task]:
        """Open the tasks, each with this grid's seed unless it names one of its own.

        Args:
            root: The data folder.

        Returns:
            The tasks; their files are not read yet.
        """
        return [self._opened(text, root) for text in self.tasks]

    def measures_of(self, task: Task) -> tuple[Measure, ...]:
        """Give what to do with a task's items: what was asked for and the task can, in order."""
        if not self.measures:
            return task.measures[:1]
        return tuple(name for name in MEASURES if name in self.measures and name in task.measures)

    def to_json(self) -> dict[str, Any]:
        """Give the grid as JSON-able data; `from_json` gives it back, equal."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Grid:
        """Read a grid from what `to_json` gave, or raise `InvalidFile`."""
        known = {field.name for field in fields(cls)}
        if not isinstance(data, Mapping) or data.keys() != known:
            raise InvalidFile(f"not a grid: it has {sorted(data)}, and needs {sorted(known)}")
        values: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in data.items()
        }
        return cls(**values)

    def header(self, bases: Sequence[str]) -> dict[str, Any]:
        """Say what is run and on what: the first line of the results.

        Args:
            bases: What identifies each model's weights and its embedder's.

        Returns:
            The line; the same grid on the same machine and code gives the same.
        """
        line: dict[str, Any] = {
            "type": "run",
            "grid": self.to_json(),
            "bases": list(bases),
            "commit": commit(),
            "hardware": hardware(),
            "versions": versions(),
        }
        blob = json.dumps(line, sort_keys=True)
        return line | {"run": hashlib.sha256(blob.encode()).hexdigest()[:12]}

    def _opened(self, text: str, root: Path | None) -> Task:
        task = open_task(text, root)
        seeded = "seed=" in text.partition(":")[2]
        return task if seeded or not self.seed else open_task(_and(text, f"seed={self.seed}"), root)


def always(lms: Iterable[LM]) -> tuple[str, ...]:
    """Give what every method is compared with, beside the generic model.

    The latest records, as many as fit, and the best search: a method that does not beat them is not
    worth its cost.

    Args:
        lms: The models; without an embedder the best search is by words.

    Returns:
        Compositions.
    """
    embeds = all("embed" in lm.carries for lm in lms)
    return _BASELINES if embeds else (*_BASELINES[:-1], "bm25")


def _and(text: str, setting: str) -> str:
    return f"{text},{setting}" if ":" in text else f"{text}:{setting}"


def _once(names: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


@cache
def commit() -> str:
    """Give the commit of the code that runs, marked where it was changed since; "" is unknown."""
    here = Path(__file__).parent
    head = _git(here, "rev-parse", "--short=12", "HEAD")
    # An installed package may lie inside of a repository that is not its own.
    if not head or not _git(here, "ls-files", Path(__file__).name):
        return ""
    return head + ("+changes" if _git(here, "status", "--porcelain", "..") else "")


@cache
def hardware() -> str:
    """Give the processor's name and how many cores this process may use."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = found[1].strip() if found else platform.processor() or platform.machine()
    # Not everywhere may one ask which cores are one's own.
    ask = getattr(os, "sched_getaffinity", None)
    cores = len(ask(0)) if ask else os.cpu_count()
    return f"{name}, {cores} cores"


@cache
def versions() -> dict[str, str]:
    """Give the versions of Python and of the libraries that results depend on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
