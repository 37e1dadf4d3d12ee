"""From records to states and back: fit, enroll, keep up to date.

A method learns; this file says when, from which records, and where it is kept. Forgetting is the
store's: it finds states by their lineage and needs no help from methods.
"""

# Over 300 lines because what is learned and what may serve are told apart by the same few rules.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from ipse.cache import Cache
from ipse.errors import Conflict, StoreFailure, UnknownUser
from ipse.lm import LM, Progress
from ipse.meter import Meter, Told
from ipse.methods import Method, finish_all
from ipse.methods.base import Learning
from ipse.records import User
from ipse.state import SavedState, State, StateKey
from ipse.store import Receipt, Store

__all__ = ["PREVIOUS", "Lifecycle"]

PREVIOUS = 3
"""How many states that were replaced stay to go back to, where learning is training."""

_TRAINED = 8
"""People who are trained for in one batch; each batch is kept before the next is begun."""

_AT_ONCE = 64
"""The same, where nothing is trained."""

_CACHED = 256 << 20
"""The most bytes of states of everybody that are kept at hand."""

_Task: TypeAlias = tuple[User, SavedState | None]
"""What a person allows a method to learn from, and what it knows of them already."""

T = TypeVar("T")


@dataclass(frozen=True)
class Lifecycle:
    """The life of states: made by methods, kept by a store.

    Attributes:
        store: Where states are kept.
        lm: What methods learn with.
    """

    store: Store
    lm: LM
    _everyones: Cache[StateKey, SavedState] = field(
        default_factory=lambda: Cache(lambda saved: saved.weight, _CACHED), init=False, repr=False
    )

    def drop(self, receipt: Receipt) -> None:
        """Let go of what was forgotten."""
        for state in receipt.states:
            self._everyones.drop(state.key)

    def fit(
        self,
        method: Method,
        people: Iterable[User] | None = None,
        progress: Progress | None = None,
    ) -> SavedState | None:
        """Let a method learn from everybody, and keep what it learned.

        Args:
            method: The method.
            people: Who to learn from; everybody in the store where it is not given.
            progress: Told how far the model is.

        Returns:
            What is kept; None where there is nothing to learn.
        """
        if not method.shared:
            return None
        views = self._views(self.store.everybody()) if people is None else people
        task = method.fit(view.allowing("share") for view in views)
        with self._scratch(method) as scratch:
            (state,) = finish_all([task], self.lm, progress, scratch)
            previous = PREVIOUS if method.trains or method.level == "model" else 0
            return None if state is None else self._keep(self.key(method), state, (), previous)

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
        """Let a method learn of many people anew, in shared batches; each learns as if alone.

        Args:
            method: The method.
            users: Views of the people.
            progress: Told how far the model is.

        Returns:
            What is kept of each; None where there is nothing to learn.
        """
        kept: list[SavedState | None] = []
        for chunk in _batches(method, users):
            tasks: list[_Task] = [(user.allowing(method.use), None) for user in chunk]
            with self._scratch(method) as scratch:
                shared = self._shared(method)
                states = self._learn(method, tasks, shared, progress, scratch)
                kept += [
                    self._keep_of(method, view, state, shared)
                    for (view, _), state in zip(tasks, states, strict=True)
                ]
        return kept

    def learned(
        self, method: Method, users: Sequence[User], progress: Progress | None = None
    ) -> list[SavedState | None]:
        """Give what a method knows of people, learning of those of whom it is not kept yet.

        Args:
            method: The method.
            users: Views of the people; what is kept of another view of a person will not do.
            progress: Told how far the model is.

        Returns:
            What is kept of each; None where there is nothing to learn.
        """
        parents = self._parents(method)
        kept = {
            user.id: saved
            for user in users
            if not self._is_due(method, user, parents)
            and (saved := self._readable(method, user.id))
        }
        missing = [user for user in users if user.id not in kept]
        new = zip(missing, self.enroll_all(method, missing, progress), strict=True)
        found = kept | {user.id: saved for user, saved in new}
        return [found[user.id] for user in users]

    def refresh(
        self,
        method: Method,
        people: Iterable[str] | None = None,
        told: Told | None = None,
        *,
        anew: bool = False,
    ) -> list[SavedState]:
        """Learn of those people of whom a method knows nothing, or not the latest.

        Many learn together, and those are kept before the next are begun: who is killed loses no
        more than that, and the next run does what is missing. A person of whom something is
        forgotten meanwhile is left for the next run.

        Args:
            method: The method.
            people: Their ids; everybody in the store who is not paused where it is not given.
            told: Told how far it is.
            anew: Learn of everybody, as if nothing were known.

        Returns:
            What is kept of those people, without its arrays.
        """
        if type(method).enroll is Method.enroll:  # it learns nothing of anyone
            return []
        names = self._unpaused() if people is None else people
        parents = self._parents(method)
        views = self._views(names)
        due = [view.id for view in views if anew or self._is_due(method, view, parents)]
        meter = Meter(method.name, len(due), told)
        kept: list[SavedState] = []
        for chunk in _batches(method, due):
            meter.begin(len(chunk))
            kept += self._refresh(method, chunk, meter, anew)
        meter.begin(0)
        return kept

    def current(
        self, method: Method, user: User, known: SavedState | None = None
    ) -> SavedState | None:
        """Give what a method knows of a person as they are now.

        What is missing is learned; where the method trains, it is what there is, of fewer records,
        or else what serves a newcomer.

        Args:
            method: The method.
            user: A view of the person.
            known: What is kept of them, where it was read before and is current.

        Returns:
            What is kept; None where there is nothing to learn, or it was not learned yet.
        """
        if method.trains:
            known = self.known(method, user)
            return self._newcomer(method, user) if known is None else self.store.state(known.key)
        shared, view = self._shared(method), user.allowing(method.use)
        saved = known or self.store.state(self.key(method, user.id))
        (state,) = self._learn(method, [(view, saved)], shared)
        if saved is not None and state is saved.state:
            return saved
        return self._keep_of(method, view, state, shared, saved)

    def known(self, method: Method, user: User | None) -> SavedState | None:
        """Give what is kept of a person, or everyone, and may be used now, without its arrays."""
        if user is None:
            return self.store.glance(self.key(method))
        saved = self.store.glance(self.key(method, user.id))
        if saved is None or saved.parents != self._parents(method):
            return None
        view = user.allowing(method.use)
        return saved if view.records and view.holds(saved.state.lineage) else None

    def is_current(self, method: Method, user: User, saved: SavedState) -> bool:
        """Say whether a state read earlier is still what `current` gives, in a query or two."""
        kept, parents = self.store.state_id(self.key(method, user.id)), self._parents(method)
        if saved.key.user is None:  # everyone's, for a newcomer
            return kept is None and parents == (saved.id,)
        return kept == saved.id and saved.parents == parents

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

    def _newcomer(self, method: Method, user: User) -> SavedState | None:
        """Give everyone's state as it serves someone whom nothing was learned of yet."""
        shared = self.store.glance(self.key(method)) if method.shared else None
        if shared is None or not user.allowing(method.use).records:
            return None
        state = method.newcomer(shared.state)
        return None if state is None else replace(shared, state=state)

    def _refresh(
        self, method: Method, people: Sequence[str], progress: Progress, anew: bool
    ) -> list[SavedState]:
        """Learn of some people in one batch, and keep it."""
        kept: list[SavedState] = []
        with self._scratch(method) as scratch:
            shared = self._shared(method)
            tasks: list[_Task] = [
                (view.allowing(method.use), None if anew else self._readable(method, view.id))
                for view in self._views(people)
            ]
            states = self._learn(method, tasks, shared, progress, scratch)
            for (view, saved), state in zip(tasks, states, strict=True):
                if saved is not None and state is saved.state:
                    continue
                with suppress(Conflict):  # some of what it was made from is forgotten by now
                    if one := self._keep_of(method, view, state, shared, saved):
                        kept.append(replace(one, state=replace(one.state, arrays={})))
        return kept

    def _learn(
        self,
        method: Method,
        tasks: Sequence[_Task],
        shared: SavedState | None,
        progress: Progress | None = None,
        scratch: Path | None = None,
    ) -> list[State | None]:
        """Learn of people in one batch, of each from what is known as far as that will do."""
        known, parents = (shared.state, (shared.id,)) if shared else (None, ())
        steps: list[Learning] = []
        for view, saved in tasks:
            if not view.records:
                steps.append(None)
            elif saved is None or saved.parents != parents:
                steps.append(method.enroll(view, known))
            elif saved.state.seen == view.fingerprint:
                steps.append(saved.state)
            elif not view.holds(saved.state.lineage):  # it knows more than this view may
                steps.append(method.enroll(view, known))
            else:
                steps.append(method.update(view, saved.state, known))
        return finish_all(steps, self.lm, progress, scratch)

    def _is_due(self, method: Method, user: User, parents: tuple[str, ...]) -> bool:
        """Say whether a method knows nothing of a person, or not the latest."""
        view = user.allowing(method.use)
        saved = self.store.glance(self.key(method, user.id))
        known = saved and (saved.parents, saved.state.seen) == (parents, view.fingerprint)
        return bool(view.records) and not known

    def _readable(self, method: Method, user: str) -> SavedState | None:
        """Give the state of a person; a damaged one is made anew, as if there were none."""
        with suppress(StoreFailure):
            return self.store.state(self.key(method, user))
        return None

    def _parents(self, method: Method) -> tuple[str, ...]:
        """Give the states that a person's state is to be made from now."""
        shared = self.store.state_id(self.key(method)) if method.shared else None
        return (shared,) if shared else ()

    def _keep_of(
        self,
        method: Method,
        view: User,
        state: State | None,
        shared: SavedState | None,
        old: SavedState | None = None,
    ) -> SavedState | None:
        if state is None:
            return None
        parents, seen = (shared.id,) if shared else (), replace(state, seen=view.fingerprint)
        previous = PREVIOUS if method.trains else 0
        return self._keep(self.key(method, view.id), seen, parents, previous, old)

    def _keep(
        self,
        key: StateKey,
        state: State,
        parents: tuple[str, ...],
        previous: int,
        old: SavedState | None = None,
    ) -> SavedState:
        try:
            return self.store.keep(SavedState(key, state, parents), previous, old)
        except Conflict:  # it was made from what is forgotten, and so may be what the model keeps
            self.lm.forget()
            raise

    def _shared(self, method: Method) -> SavedState | None:
        """Give everyone's state; what was made from many people is read once, not at every call."""
        if not method.shared:
            return None
        key = self.key(method)
        kept = self._everyones.get(key)
        if kept is not None and self._is_kept(key, kept):
            return kept
        self._everyones.drop(key)
        kept = self.store.state(key)
        if kept is not None:
            self._everyones.keep(key, kept, partial(self._is_kept, key, kept))
        return kept

    def _is_kept(self, key: StateKey, saved: SavedState) -> bool:
        return self.store.state_id(key) == saved.id

    def _unpaused(self) -> Iterator[str]:
        """Give everyone of whom something new may be learned."""
        return (name for name in self.store.everybody() if not self.store.pauses.since(name))

    def _views(self, names: Iterable[str]) -> Iterator[User]:
        for name in names:
            with suppress(UnknownUser):  # forgotten since the list was made
                yield self.store.user(name)

    @contextmanager
    def _scratch(self, method: Method) -> Iterator[Path | None]:
        """Give a place for what is half learned; it stays there only if learning is cut short."""
        if method.base != "lm":
            yield None
            return
        yield self.store.scratch.folder()
        self.store.scratch.clear()


def _batches(method: Method, items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut people into those who are learned of together."""
    most = _TRAINED if method.trains else _AT_ONCE
    return (items[start : start + most] for start in range(0, len(items), most))
