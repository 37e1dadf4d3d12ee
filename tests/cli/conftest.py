"""The command line in a folder of its own, on the echo backend."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ipse.cli import app
from ipse.records import Record
from ipse.store import Store


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder without settings, in an environment that asks for the echo."""
    for name in os.environ:
        if name.startswith("IPSE_") and name != "IPSE_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("IPSE_BACKEND", "echo")
    monkeypatch.setenv("IPSE_METHODS", "recent+facets")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder) -> Run:
    """Runs a command; an error that is no exit is raised."""

    def run(*args: str, typed: str | None = None) -> Ran:
        result = CliRunner().invoke(app, list(args), input=typed)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def store_of_ada(tmp_path_factory) -> Path:
    """A store with three records of ada, to be copied."""
    path = tmp_path_factory.mktemp("ada") / "ipse.db"
    texts = ("I love green tea", "School starts too early", "Buses are late")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with Store.open(path) as store:
        store.add(
            Record(user="ada", kind="dialogue", output=text, time=start + timedelta(days=day))
            for day, text in enumerate(texts)
        )
    return path


@pytest.fixture
def ada(run, folder, store_of_ada) -> Run:
    """The same, where ada is in the store."""
    shutil.copy(store_of_ada, folder / "ipse.db")
    return run
