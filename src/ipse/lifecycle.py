"""From records to states and back: fit, enroll, keep up to date.

A method learns; this file says when, from which records, and where it is kept. Forgetting is the
store's: it finds states by their lineage and needs no help from methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ipse.errors import UnknownUser
from ipse.lm import LM, Progress
from ipse.methods import Method, finish, finish_all
from ipse.records import User
from ipse.state import SavedState, State, StateKey
from ipse.store import Store

__all__ = ["Lifecycle"]


@dataclass(frozen=True)
class Lifecycle:
    """The life of states: made by methods, kept by a store.

    Attributes:
        store: Where states are kept.
        lm: What methods learn with.
    """

    store: Store
    lm: LM

    def fit(self, method: Method, people: Iterable[User] | None = None) -> SavedState | None:
        """Let a method learn from everybody, and keep what it learned.

        Args:
            method: The method.
            people: Who to learn from; everybody in the store where it is not given.

        Returns:
            What is kept; None where there is nothing to learn.
        """
        if not method.shared:
            return None
        views = people if people is not None else self._everybody()
        state = finish(method.fit(view.allowing("share") for view in views), self.lm)
        return None if state is None else self.store.keep(SavedState(self.key(method), state))

    def enroll(self, method: Method, user: User) -> SavedState | None:
        """Let a method learn of one person, and keep what it learned.

        Args:
            method: The method.
            user: A view of the person: nothing outside of it is learned from.

        Returns:
            What is kept; None where there is nothing to learn.
        """
        return self.enroll_all(method, [user])[0]

    def enroll_all(
        self, method: Method, users: Sequence[User], progress: Progress | None = None
    ) -> list[SavedState | None]:
        """Let a method learn of many people, in shared batches; each learns as if alone.

        Args:
            method: The method.
            users: Views of the people.
            progress: Told how far the model is.

        Returns:
            What is kept of each; None where there is nothing to learn.
        """
        shared = self._shared(method)
        known = shared.state if shared else None
        views = [user.allowing(method.use) for user in users]
        tasks = [method.enroll(view, known) if view.records else None for view in views]
        states = finish_all(tasks, self.lm, progress)
        return [
            self._keep(method, view, state, shared)
            for view, state in zip(views, states, strict=True)
        ]

    def current(self, method: Method, user: User) -> SavedState | None:
        """Give what a method knows of a person as they are now, learning only what is missing.

        Args:
            method: The method.
            user: A view of the person.

        Returns:
            What is kept; None where there is nothing to learn.
        """
        view = user.allowing(method.use)
        saved = self.store.state(self.key(method, user.id))
        if saved is None or not view.records or saved.parents != self._parents(method):
            return self.enroll(method, user)
        if saved.state.seen == view.fingerprint:
            return saved
        if not view.holds(saved.state.lineage):  # it knows more than this view may
            return self.enroll(method, user)
        shared = self._shared(method)
        known = shared.state if shared else None
        state = finish(method.update(view, saved.state, known), self.lm)
        return saved if state is saved.state else self._keep(method, view, state, shared)

    def is_current(self, method: Method, user: User, saved: SavedState) -> bool:
        """Say whether a state read earlier is still what `current` gives, in a query or two."""
        kept = self.store.state_id(self.key(method, user.id))
        return kept == saved.id and saved.parents == self._parents(method)

    def _parents(self, method: Method) -> tuple[str, ...]:
        """Give the states that a person's state is to be made from now."""
        shared = self.store.state_id(self.key(method)) if method.shared else None
        return (shared,) if shared else ()

    def _keep(
        self, method: Method, view: User, state: State | None, shared: SavedState | None
    ) -> SavedState | None:
        if state is None:
            return None
        parents = (shared.id,) if shared else ()
        key = self.key(method, view.id)
        return self.store.keep(SavedState(key, replace(state, seen=view.fingerprint), parents))

    def _shared(self, method: Method) -> SavedState | None:
        return self.store.state(self.key(method)) if method.shared else None

    def key(self, method: Method, user: str | None = None) -> StateKey:
        """Give what a method's state of a person, or of everyone, is kept under."""
        base = ""  # a model's name may cost a look at its weights: only who depends on it asks
        if method.base == "lm":
            base = self.lm.base
        elif method.base == "embedder":
            base = self.lm.embedder
        elif method.base == "both":
            base = f"{self.lm.base} {self.lm.embedder}"
        return StateKey(method.name, method.settings_hash, user, base)

    def _everybody(self) -> Iterator[User]:
        for user in self.store.everybody():
            with suppress(UnknownUser):  # forgotten since the list was made
                yield self.store.user(user)
