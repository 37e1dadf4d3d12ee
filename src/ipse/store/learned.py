"""Keeping and reading states whole: their rows in the database, their arrays in the folder."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from ipse import tensors
from ipse.errors import Conflict, StoreFailure
from ipse.state import SavedState, StateKey
from ipse.store import lineages, states, versions
from ipse.store.artifacts import Artifacts
from ipse.store.database import Database

__all__ = ["keep", "load", "read"]


def keep(
    database: Database,
    artifacts: Artifacts,
    saved: SavedState,
    previous: int = 0,
    old: SavedState | None = None,
) -> SavedState:
    """Keep a state as the current one of its key; `Store.keep` says more.

    All is checked and written under one lock: what is forgotten meanwhile waits, and then finds
    this state; what was forgotten before is missed here.
    """
    artifact = tensors.content_hash(saved.state.arrays) if saved.state.arrays else None
    saved = replace(saved, id=uuid4().hex, state=replace(saved.state, artifact=artifact))
    slot = states.slot_of(saved.key)
    with database.writing() as connection:
        if previous or not lineages.grows(connection, saved, old):
            old = None
        # What a current state was made from is there: else it would be gone, too.
        if why := states.missing(connection, saved, len(old.state.lineage) if old else 0):
            raise Conflict(f"this {saved.key.method!r} state cannot be kept: {why}. Enroll again")
        if artifact is not None:
            artifacts.put(artifact, saved.state.arrays)
        replaced = versions.supersede(connection, slot, previous, artifact)
        states.insert_state(connection, saved, slot, old)
        states.prune(connection, replaced)
        # Before the lock is let go: after it, who replaces this state may sweep the file away.
        return load(artifacts, saved)


def read(database: Database, artifacts: Artifacts, key: StateKey) -> SavedState | None:
    """Read the current state of a key; `Store.state` says more."""
    slot = states.slot_of(key)
    while True:
        with database.reading() as connection:
            row = states.current(connection, slot)
            if row is None:
                return None
            saved = states.saved_state(connection, row)
        try:
            return load(artifacts, saved)
        except StoreFailure:
            with database.reading() as connection:
                again = states.current(connection, slot)
            if again is not None and again.id == saved.id:
                raise  # it was not replaced while we looked: it is damaged


def load(artifacts: Artifacts, saved: SavedState) -> SavedState:
    """Give a state with its arrays.

    Args:
        artifacts: Where the arrays are.
        saved: The state; its own arrays are not looked at.

    Returns:
        The state, its arrays read only.

    Raises:
        StoreFailure: If its artefact is damaged or missing.
    """
    if saved.state.artifact is None:
        return saved
    try:
        arrays = artifacts.load(saved.state.artifact)
    except (StoreFailure, FileNotFoundError) as error:
        way_out = "ipse enroll --fit" if saved.key.user is None else f"ipse enroll {saved.key.user}"
        raise StoreFailure(
            f"the arrays of the {saved.key.method!r} state {saved.id} cannot be read: {error}. "
            f"Make it again with: {way_out}"
        ) from error
    return replace(saved, state=replace(saved.state, arrays=arrays))
