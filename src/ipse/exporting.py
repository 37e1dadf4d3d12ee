"""From what was learned to a folder that others read: the adapter that serves a person, or one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ipse.adapters import Manifest, write_adapter
from ipse.engine import Ipse
from ipse.errors import UsageError
from ipse.methods import known_methods, spec
from ipse.peft_form import adapter_of, merged
from ipse.plan import Adapter
from ipse.route import methods_of
from ipse.state import SavedState
from ipse.store import Store

__all__ = ["export_person", "export_state"]

_ANY = "Hello"  # which weights read a question does not depend on it


def export_person(
    engine: Ipse, user: str, folder: Path, methods: str | None = None, *, anonymous: bool = False
) -> Manifest:
    """Write all that is attached when a person asks, as one adapter.

    Args:
        engine: Knows the person.
        user: Who.
        folder: Where to; nothing may be there yet.
        methods: A composition; the engine's own where it is not given.
        anonymous: Whether to leave out who it is, and the ids of the records.

    Returns:
        What was written.

    Raises:
        UsageError: If nothing is attached, or something is that is no adapter.
    """
    given = engine.methods if methods is None else methods_of(methods)
    chosen = [method for method in given if method.level == "model"]
    plan = engine.plan(user, _ANY, methods=spec(chosen))
    if not plan.main.adapters:
        raise UsageError(
            f"no adapter serves {user!r} with {spec(chosen)!r}. Why: ipse explain QUESTION "
            f"--user {user} --method {spec(chosen)}"
        )
    parts = [(_arrays(engine.store, one), one.weight) for one in plan.main.adapters]
    states = [engine.store.find(name) for name in plan.states]
    about = _about(states, {method.name: method.settings for method in chosen}, spec(chosen))
    about = replace(
        about,
        user=user,
        base=engine.lm.base,
        artifacts=tuple(filter(None, (n for one in plan.main.adapters for n in _names(one)))),
    )
    return write_adapter(folder, merged(parts), about.anonymous() if anonymous else about)


def export_state(
    store: Store, saved: SavedState, folder: Path, part: str = "", *, anonymous: bool = False
) -> Manifest:
    """Write the adapter of one state.

    Args:
        store: Where its arrays are.
        saved: The state.
        folder: Where to; nothing may be there yet.
        part: Which of several things the state holds; "" is the state itself.
        anonymous: Whether to leave out who it is of, and the ids of the records.

    Returns:
        What was written.

    Raises:
        UsageError: If the state holds no adapter.
    """
    name = saved.state.artifact
    if name is None:
        raise UsageError(f"the {saved.key.method!r} state {saved.id!r} holds no adapter")
    about = replace(
        _about([saved], _settings(saved), saved.key.method),
        user=saved.key.user,
        base=saved.key.base,
        artifacts=(name,),
    )
    about = about.anonymous() if anonymous else about
    return write_adapter(folder, store.arrays(name), about, part)


def _about(states: Sequence[SavedState], settings: Mapping[str, Any], method: str) -> Manifest:
    """Say what was made from what."""
    lineage = tuple(dict.fromkeys(name for saved in states for name in saved.state.lineage))
    facts: dict[str, Any] = {saved.key.method: dict(saved.state.facts) for saved in states}
    (one,) = facts.values() if len(facts) == 1 else (facts,)
    return Manifest(
        method=method,
        settings=settings,
        records=len(lineage),
        lineage=lineage,
        parents=tuple(dict.fromkeys(name for saved in states for name in saved.parents)),
        facts=one,
        made=max((saved.made.isoformat() for saved in states), default=""),
    )


def _settings(saved: SavedState) -> dict[str, Any]:
    """Give a state's settings, of which only the hash is kept, unless they are the defaults."""
    way = known_methods().get(saved.key.method)
    if way and (method := way()).settings_hash == saved.key.settings:
        return {method.name: method.settings}
    return {saved.key.method: {"hash": saved.key.settings}}


def _names(one: Adapter) -> tuple[str, str]:
    return one.name, one.own


def _arrays(store: Store, one: Adapter) -> dict[str, NDArray[Any]]:
    """Give the arrays of what a stream attaches, as a backend puts them together."""
    found: dict[str, NDArray[Any]] = {}
    for name in filter(None, _names(one)):
        base, _, part = name.partition("/")
        head = f"{part}/" if part else ""
        arrays = store.arrays(base)
        found |= {n.removeprefix(head): a for n, a in arrays.items() if n.startswith(head)}
    return adapter_of(found)
