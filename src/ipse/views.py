"""People as they are now, and what was learned of them, kept at hand and never out of date."""

from __future__ import annotations

from functools import partial

from ipse.cache import Cache
from ipse.lifecycle import Lifecycle
from ipse.methods import Learned, Method
from ipse.records import User
from ipse.state import SavedState, StateKey
from ipse.store import Receipt

__all__ = ["Views"]

_CACHED = 256 << 20
"""The most bytes of people's views that are kept at hand, and the same of their states."""


class Views:
    """Views of people and their states; whether one still holds is a query or two."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        """Begin with nothing at hand.

        Args:
            lifecycle: What learns, and where it is kept.
        """
        self._lifecycle, self._store = lifecycle, lifecycle.store
        self._people: Cache[str, tuple[int, User]] = Cache(_weigh_view, _CACHED)
        self._states = Cache[StateKey, tuple[int, SavedState]](lambda one: one[1].weight, _CACHED)

    def view(self, user: str) -> tuple[int, User | None]:
        """Give all that is known of a person, and its revision; one query if nothing changed."""
        cached = self._people.get(user)
        revision, view = found = self._store.view(user, cached)
        if view is None or found is cached:
            return found
        self._people.keep(user, (revision, view), lambda: self._store.revision(user) == revision)
        return revision, view

    def learned(self, method: Method, view: User) -> Learned:
        """Give a method with its current state; a query or two where nothing has changed."""
        saved = self.saved(method, view)
        return Learned(method) if saved is None else Learned.of(method, saved)

    def saved(self, method: Method, view: User) -> SavedState | None:
        """Give the current state of a method as it is kept; None where nothing is to learn."""
        key = self._lifecycle.key(method, view.id)
        fingerprint, saved = self._states.get(key) or (0, None)
        if saved and not self._lifecycle.is_current(method, view, saved):
            self._states.drop(key)
            saved = None
        if saved and fingerprint == view.fingerprint:
            return saved
        saved = self._lifecycle.current(method, view, saved)
        if saved is None:
            return None
        holds = partial(self._lifecycle.is_current, method, view, saved)
        self._states.keep(key, (view.fingerprint, saved), holds)
        return saved

    def drop(self, receipt: Receipt) -> None:
        """Let go of what was forgotten."""
        self._people.drop(receipt.user)
        self._lifecycle.drop(receipt)
        for state in receipt.states:
            self._states.drop(state.key)


def _weigh_view(item: tuple[int, User]) -> int:
    """Give about how many bytes a view takes."""
    texts = sum(len(r.input) + len(r.output) + len(r.rejected or "") for r in item[1].records)
    return 2 * texts + 1000 * len(item[1])
