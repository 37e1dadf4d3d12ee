"""The command `init`: a settings file that explains itself, and an empty store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ipse.cli.call import Call
from ipse.errors import Conflict, InvalidFile
from ipse.settings import CONFIG, load, template
from ipse.store import Store

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
    _write(config, template(**given), force)
    settings = load(config)
    with Store.open(settings.store) as opened:
        records = opened.count()
    call = Call(settings, as_json)
    data = {"config": str(config), "store": settings.store, "records": records}
    call.answer(
        data,
        f"Wrote {config}; the store {settings.store} holds {records:,} records.",
        "Next: ipse import FORMAT PATH, or ipse remember USER TEXT",
    )


def _write(path: Path, text: str, force: bool) -> None:
    try:
        path.touch(mode=0o600, exist_ok=force)  # it may come to hold a key
        path.write_text(text, "utf-8")
    except FileExistsError as error:
        raise Conflict(f"{path} is there already. To overwrite it: ipse init --force") from error
    except OSError as error:
        raise InvalidFile(f"cannot write {path}: {error.strerror}") from error
