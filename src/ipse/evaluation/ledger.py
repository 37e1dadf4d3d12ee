"""Where a run's results are kept: whole units of lines, so that a run can be killed and resumed.

    results.jsonl   what was found: the same run gives the same bytes, however often it was killed
    costs.jsonl     what it took: seconds, memory and bytes, which no two runs share

The first line of results says what is run, on what. A unit is the outcome of one batch: its lines,
then one line that closes it. Whatever stands behind the last closed unit was being written when
the run was killed, and is cut off when it is resumed. This file knows nothing of methods or models.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import Any

from ipse.errors import Conflict, InvalidFile

__all__ = ["COSTS", "RESULTS", "Ledger", "Line", "Run", "read_run"]

RESULTS = "results.jsonl"
COSTS = "costs.jsonl"

Line = Mapping[str, Any]
"""One JSON object; `type` says what it is: run, person, item or unit."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it was read back.

    Attributes:
        header: What was run, on what.
        people: One line for each person of a task.
        fits: One line for each method that learned from everyone: from how many.
        items: One line for each thing measured.
        costs: What it took, one line for each unit and each enrollment.
    """

    header: Line
    people: tuple[Line, ...]
    fits: tuple[Line, ...]
    items: tuple[Line, ...]
    costs: tuple[Line, ...] = ()


@dataclass(eq=False)
class Ledger:
    """The results of one run, open for writing by one process.

    Attributes:
        folder: Where the files are.
        done: The units that are whole.
    """

    folder: Path
    done: set[str] = field(default_factory=set)
    _results: BufferedRandom | None = None
    _costs: BufferedRandom | None = None

    @classmethod
    def open(cls, folder: Path, header: Line) -> Ledger:
        """Begin a run, or go on with one.

        Args:
            folder: Where its files are or go.
            header: What is run, on what.

        Returns:
            The ledger; close it, or use it in a `with`.

        Raises:
            Conflict: If the folder holds another run, or another process writes it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        ledger = cls(folder)
        ledger._results = _locked(folder / RESULTS)
        try:
            ledger._resume(ledger._results, header)
            ledger._costs = _locked(folder / COSTS)
            _cut(ledger._costs, _whole_lines(ledger._costs))
        except BaseException:
            ledger.close()
            raise
        return ledger

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in (self._results, self._costs):
            if file is not None:
                file.close()

    def write(self, unit: str, lines: Iterable[Line], costs: Sequence[Line] = ()) -> None:
        """Keep a unit, durably and whole; what it cost is kept first, for it may be kept twice.

        Args:
            unit: Its name.
            lines: What was found.
            costs: What it took.
        """
        assert self._results is not None
        assert self._costs is not None
        _append(self._costs, costs)
        _append(self._results, [*lines, {"type": "unit", "unit": unit}])
        self.done.add(unit)

    def note(self, costs: Sequence[Line]) -> None:
        """Keep a cost that belongs to no unit, such as of an enrollment."""
        assert self._costs is not None
        _append(self._costs, costs)

    def _resume(self, file: BufferedRandom, header: Line) -> None:
        """Read which units are whole, and cut off what stands behind them."""
        end = 0
        for end_of_line, line in _whole(file):
            if line.get("type") == "run":
                _same(self.folder, line, header)
                end = end_of_line
            elif line.get("type") == "unit":
                self.done.add(line["unit"])
                end = end_of_line
        _cut(file, end)
        if end == 0:
            _append(file, [header])


def read_run(path: Path) -> Run:
    """Read a run back, whole units only.

    Args:
        path: Its folder, or its results.

    Returns:
        The run.

    Raises:
        InvalidFile: If there is none.
    """
    results = path / RESULTS if path.is_dir() else path
    try:
        with results.open("rb") as file:
            lines = list(_closed(line for _, line in _whole(file)))
        costs = results.with_name(COSTS)
        with costs.open("rb") if costs.exists() else open(os.devnull, "rb") as file:
            spent = tuple(line for _, line in _whole(file))
    except OSError as error:
        raise InvalidFile(f"cannot read the results {results}: {error}") from error
    if not lines or lines[0].get("type") != "run":
        raise InvalidFile(f"{results} is no results file: its first line says not what was run")
    return Run(
        header=lines[0],
        people=tuple(line for line in lines if line["type"] == "person"),
        fits=tuple(line for line in lines if line["type"] == "fit"),
        items=tuple(line for line in lines if line["type"] == "item"),
        costs=spent,
    )


def _closed(lines: Iterable[Line]) -> Iterator[Line]:
    """Give the first line, and those of units that are closed."""
    waiting: list[Line] = []
    for line in lines:
        if line.get("type") == "run":
            yield line
        elif line.get("type") == "unit":
            yield from waiting
            waiting = []
        else:
            waiting.append(line)


def _whole(file: Any) -> Iterator[tuple[int, Line]]:
    """Give the JSON objects of a file with where each ends; a last line cut off is left out."""
    file.seek(0)
    end = 0
    for number, raw in enumerate(file, 1):
        if not raw.endswith(b"\n"):
            return
        end += len(raw)
        try:
            line = json.loads(raw)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            raise InvalidFile(f"{file.name}:{number} is damaged: {raw[:80]!r} is no JSON object")
        yield end, line


def _whole_lines(file: BufferedRandom) -> int:
    return max((end for end, _ in _whole(file)), default=0)


def _cut(file: BufferedRandom, end: int) -> None:
    file.truncate(end)
    file.seek(end)


def _append(file: BufferedRandom, lines: Iterable[Line]) -> None:
    file.write(b"".join(_bytes(line) for line in lines))
    file.flush()
    os.fsync(file.fileno())


def _bytes(line: Line) -> bytes:
    # A server may send half of a surrogate pair, which is no character.
    return json.dumps(dict(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _locked(path: Path) -> BufferedRandom:
    """Open a file for this process alone."""
    file = path.open("r+b" if path.exists() else "w+b")
    try:
        import fcntl  # not on Windows, where two runs into one folder are not kept apart
    except ModuleNotFoundError:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Conflict(
            f"another process is writing {path}. Wait, or choose another --out"
        ) from error
    return file


def _same(folder: Path, before: Line, now: Line) -> None:
    differ = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
    if differ:
        first = differ[0]
        raise Conflict(
            f"{folder} holds another run: its {first} is {before.get(first)!r}, not "
            f"{now.get(first)!r}. Choose another --out, or start over with --fresh"
        )
