"""What every command is given, and the flags that all of them share.

    @command
    def users(call: Call, limit: int = 50) -> None: ...

becomes `ipse users --limit 50 --store … --backend … --model … --config … --json`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import RenderableType

from ipse.cli.output import ERR, document, show_all
from ipse.engine import Ipse
from ipse.errors import UnknownRecord, UnknownReply, UsageError
from ipse.plan import Sampling
from ipse.records import Record
from ipse.route import methods_of
from ipse.settings import Settings, load, open_engine
from ipse.store import Store, StoredReply

__all__ = [
    "Call",
    "MaxTokens",
    "Method",
    "Seed",
    "Strength",
    "Temperature",
    "User",
    "command",
    "compositions",
    "find_record",
    "find_reply",
]

_SHARED = "Shared by all commands"
_SHORTEST = 4
"""Fewer characters than this do not stand for an id."""

Named = TypeVar("Named", Record, StoredReply)

Method = Annotated[
    str | None, typer.Option("--method", metavar="SPEC", help="Such as bm25:k=4+facets, or route.")
]
Strength = Annotated[float, typer.Option(help="0 is the generic model, 1 the method as published.")]
User = Annotated[str | None, typer.Option("--user", "-u", help="Who asks; nobody: generic.")]
MaxTokens = Annotated[int | None, typer.Option(help="The most tokens of an answer.")]
Temperature = Annotated[float | None, typer.Option(help="0 takes the likeliest token.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same answer.")]


@dataclass(frozen=True)
class Call:
    """One run of a command: how Ipse is set up, and how to answer.

    Attributes:
        settings: The settings.
        as_json: Whether to answer with one JSON document.
    """

    settings: Settings
    as_json: bool

    def answer(self, data: object, *shown: RenderableType) -> None:
        """Answer a program with a JSON document, or a person with what is shown."""
        if self.as_json:
            document(data)
        else:
            show_all(*shown)

    @contextmanager
    def store(self, *, create: bool = False) -> Iterator[Store]:
        """Open the store.

        Args:
            create: Whether to make it where there is none; who only reads has no use for that.

        Yields:
            The store.

        Raises:
            UsageError: If there is none, and none is to be made.
        """
        where = self.settings.store
        if not (create or "://" in where or Path(where).exists()):
            raise UsageError(f"there is no store {where!r}. Run: ipse init, or name it by --store")
        with Store.open(where) as store:
            yield store

    @contextmanager
    def engine(
        self, user: str | None = None, method: str | None = None, *, create: bool = False
    ) -> Iterator[Ipse]:
        """Open the engine, once the store, the person and the methods are known to be good.

        Args:
            user: Who asks; nobody where it is None.
            method: The composition that is going to be used.
            create: Whether to make the store where there is none.

        Yields:
            The engine.

        Raises:
            UnknownUser: If there is no such person.
        """
        methods_of(method or "")
        with self.store(create=create) as store:
            if user is not None:
                store.user(user, latest=0)
            yield open_engine(self.settings, store, ERR.print)

    def sampling(
        self, max_tokens: int | None = None, temperature: float | None = None, seed: int = 0
    ) -> Sampling:
        """Say how tokens are drawn: as the command's own flags say, else as the settings do."""
        return Sampling(
            max_tokens=self.settings.max_tokens if max_tokens is None else max_tokens,
            temperature=self.settings.temperature if temperature is None else temperature,
            seed=seed,
        )


def compositions(text: str) -> list[str]:
    """Take compositions joined by commas apart; settings are joined by commas too.

    Args:
        text: Such as `recent,bm25:k=4,diversity=0.3`.

    Returns:
        Such as `recent` and `bm25:k=4,diversity=0.3`.
    """
    found: list[str] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        head = part.partition(":")[0].partition("+")[0]
        if found and "=" in head:  # a further setting of the composition before
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found


def find_record(store: Store, user: str, name: str) -> Record:
    """Find a record by its id, or by the start of it where that is enough.

    Args:
        store: The store.
        user: Whose it must be.
        name: The id, or at least its first four characters.

    Returns:
        The record.

    Raises:
        UnknownRecord: If the person has no such record.
        UsageError: If several ids start so.
    """
    try:
        return store.record(name, user)
    except UnknownRecord:
        found = _starting(name, store.user(user).records)
        if not found:
            raise
    return _only(found, f"records of {user!r}", name)


def find_reply(store: Store, user: str, name: str) -> StoredReply:
    """Find a reply by its id, or by the start of it where that is enough.

    Args:
        store: The store.
        user: To whom it must have been given.
        name: The id, or at least its first four characters.

    Returns:
        The reply.

    Raises:
        UnknownReply: If no such reply to the person is kept.
        UsageError: If several ids start so.
    """
    try:
        return store.reply(name, user)
    except UnknownReply:
        found = _starting(name, store.replies(user))
        if not found:
            raise
    return _only(found, f"replies to {user!r}", name)


def _starting(name: str, items: Iterable[Named]) -> list[Named]:
    return [one for one in items if one.id.startswith(name) and len(name) >= _SHORTEST]


def _only(found: Sequence[Named], what: str, name: str) -> Named:
    if len(found) > 1:
        raise UsageError(f"{len(found)} {what} have ids like {name!r}. Give more of it")
    return found[0]


def _shared(
    store: Annotated[
        str | None, typer.Option(help="The file records are in.", rich_help_panel=_SHARED)
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="local, http or echo.", rich_help_panel=_SHARED)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model answers.", rich_help_panel=_SHARED)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The settings file.", rich_help_panel=_SHARED)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Answer with one JSON document.", rich_help_panel=_SHARED)
    ] = False,
) -> Call:
    settings = load(config, store=store, backend=backend, model=model)
    return Call(settings, as_json)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a function the flags that all commands share, instead of its first parameter.

    Args:
        function: Takes a `Call` first.

    Returns:
        The command, for typer to read.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    shared = inspect.signature(_shared, eval_str=True).parameters

    def run(**values: Any) -> None:
        flags = {name: values.pop(name) for name in shared}
        function(_shared(**flags), **values)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    parameters = [*own, *shared.values()]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run
