"""Compare compositions on people that no result is ever reported on: to choose settings by.

    python runs/choose_settings.py context-steering:influence=0.5 context-steering:influence=1
    python runs/choose_settings.py --fit 8 style-vector

Those are the 20 people of the sample that the demo leaves for fitting; of them, the first `--fit`
are learned from and the others asked, their latest fifth held out as in the demo. Prints nats per
token, with what is gained over the generic model and over another person's records.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ipse.backends import open_backend
from ipse.evaluation.run import run
from ipse.evaluation.stats import Estimate
from ipse.evaluation.summary import rows
from ipse.evaluation.task import split
from ipse.evaluation.tasks import UkpconvargReason
from ipse.importers import read, sample_path, ukpconvarg
from ipse.lifecycle import Lifecycle
from ipse.methods import parse
from ipse.records import Record
from ipse.store import Store

LEFT_FOR_FITTING = 20


def main(compositions: list[str], fit: Annotated[int, typer.Option()] = 0, items: int = 3) -> None:
    """Score the compositions, and print a line for each."""
    found = [item for item in read("ukpconvarg", sample_path()) if isinstance(item, Record)]
    chosen = split({record.user for record in found}, LEFT_FOR_FITTING).fit
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "choose.db") as store,
    ):
        store.add(record for record in found if record.user in chosen)
        arguments = ukpconvarg.arguments(sample_path())
        task = UkpconvargReason(store, arguments, items=items, fit=fit)
        methods = [parse(text) for text in compositions]
        lm = open_backend("local")
        lm.attach(store.arrays)
        life = Lifecycle(store, lm)
        result = run(task.people(len(chosen)), task.population(), methods, life, _quiet)
    for row in rows(result):
        line = f"{row.method:48} {row.nats.mean:.3f} ± {row.nats.error:.3f} "
        line += f"{_shown(row.gain):24} {_shown(row.personal):24}"
        sys.stdout.write(f"{line} {row.ms:6.0f} ms {row.enroll_ms:8.0f} ms to enroll\n")


def _quiet(said: str, done: int, total: int) -> None:
    del said, done, total


def _shown(value: Estimate | None) -> str:
    return f"{value.mean:+.3f} [{value.low:+.3f}, {value.high:+.3f}]" if value else ""


if __name__ == "__main__":
    typer.run(main)
