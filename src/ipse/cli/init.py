"""The command `init`: a settings file that explains itself, and an empty store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ipse.cli.call import Call
from ipse.errors import Conflict, InvalidFile, StoreFailure
from ipse.settings import CONFIG, Settings, load, template
from ipse.store import Store
from ipse.tensors import replace_file

__all__ = ["init"]


def init(
    store: Annotated[str | None, typer.Option(help="The file to keep records in.")] = None,
    backend: Annotated[str | None, typer.Option(help="local, http or echo.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model answers.")] = None,
    config: Annotated[Path, typer.Option(help="The settings file to write.")] = CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the settings file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Write a settings file that explains every setting, and make the store."""
    given = {"store": store, "backend": backend, "model": model}
    if config.exists() and not force:
        raise Conflict(f"{config} is there already. To overwrite it: ipse init --force")
    settings = _settings(given)
    _write(config, template(**given))
    with Store.open(settings.store) as opened:
        records = opened.count()
    call = Call(settings, as_json)
    data = {"config": str(config), "store": settings.store, "records": records}
    call.answer(
        data,
        f"Wrote {config}; the store {settings.store} holds {records:,} records.",
        "Next: ipse import FORMAT PATH, or ipse remember USER TEXT",
    )


def _settings(given: Mapping[str, object]) -> Settings:
    """Give the settings as they will be, whatever stands in the file that is to be overwritten."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / CONFIG
        path.write_text(template(**given), "utf-8")
        return load(path, **given)


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise InvalidFile(f"cannot write {path}: it is a folder")
    try:
        replace_file(path, text.encode())  # its owner's alone: it may come to hold a key
    except StoreFailure as error:
        raise InvalidFile(str(error)) from error
