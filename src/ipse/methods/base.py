"""What a method is: one class that turns a plan into a personal plan.

A method is frozen: its fields are its hyperparameters. What it learns is returned as a `State` and
handed back at every request. It never does I/O and never holds a model: where it needs one it
yields what it asks for (an `Embed`, a `Cut`, a whole `Plan`) and is sent the answer. So one body
serves one request and a thousand people at once (`ipse.methods.steps`).
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

from ipse.errors import UsageError
from ipse.lm import Cut, Embed, FitSteering, Hidden, Hold, Inputs, Kept, Likelihood, Train, Write
from ipse.plan import Need, Plan
from ipse.records import Use, User
from ipse.state import State

__all__ = ["LEVELS", "Ask", "Base", "Learning", "Level", "Method", "Rewards", "Steps", "due"]

Level = Literal["input", "model", "objective"]
LEVELS: tuple[Level, ...] = ("input", "model", "objective")

Base = Literal["", "lm", "embedder", "both"]
"""What a method's states are made with: nothing, the language model, the embedder, or both."""

Ask: TypeAlias = (
    Embed | Cut | Hidden | Hold | Inputs | Kept | FitSteering | Likelihood | Train | Write | Plan
)
"""What a method may yield; it is sent vectors, arrays, a cut text, scores, what was learned,
or a reply."""

Result = TypeVar("Result")

Steps: TypeAlias = Generator[Ask, Any, Result]
"""A way to a result that asks on its way."""

Learning: TypeAlias = State | Steps[State | None] | None
"""What learning gives: a state, steps that end in one, or None where there is nothing to learn."""

Rewards: TypeAlias = Sequence[float] | Steps[Sequence[float] | None] | None
"""How much a person likes some answers, one number each, higher is better; steps that end in that,
or None from who has no say."""


@dataclass(frozen=True)
class Method(ABC):
    """One way to personalize. Subclasses are final, in a file of their own.

    Attributes:
        name: The registry key, the file's stem and the card's name.
        level: Where it acts: what the model reads, which weights read, or which answer is better.
        base: What its states are made with; another one asks for other states.
        needs: What a backend must carry, beyond messages, to run its plans.
        paper: The arXiv id of its source, or "".
        stores: What is kept of a person, in words.
        shared: Whether `fit` learns something of everyone.
        trains: Whether learning of a person takes so long that no question waits for it: it is
            done by `ipse enroll` alone, and a question is answered with what there is.
    """

    name: ClassVar[str]
    level: ClassVar[Level] = "input"
    base: ClassVar[Base] = ""
    needs: ClassVar[frozenset[Need]] = frozenset()
    paper: ClassVar[str] = ""
    stores: ClassVar[str] = "nothing"
    shared: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            most = field.metadata.get("most", math.inf)
            if isinstance(value, int | float) and not (0 <= value <= most and value < math.inf):
                bounds = f"between 0 and {most:g}" if most < math.inf else "a number from 0 on"
                raise UsageError(f"{field.name} of {self.name!r} must be {bounds}; got {value}")

    @property
    def use(self) -> Use:
        """What an owner must allow of a record for this method to be handed it."""
        return "prompt" if self.level == "input" else "train"

    def fit(self, people: Iterable[User]) -> Learning:
        """Learn once from everybody.

        Args:
            people: Views that hold only what their owners allow to be shared.

        Returns:
            What was learned; None where there is nothing to learn.
        """
        del people
        return None

    def enroll(self, user: User, shared: State | None) -> Learning:
        """Learn of one person, before any question is known.

        Args:
            user: The person.
            shared: What `fit` learned; None where it was not run.

        Returns:
            What was learned; None where there is nothing to learn.
        """
        del user, shared
        return None

    def newcomer(self, shared: State) -> State | None:
        """Say what serves someone whom a method that trains has not learned of yet.

        Args:
            shared: What `fit` learned, without its arrays.

        Returns:
            A state without arrays; None, the default, leaves the model as it is.
        """
        del shared
        return None

    def update(self, user: User, state: State, shared: State | None) -> Learning:
        """Bring a state up to date after records came or went; by default, enroll again.

        Args:
            user: The person as they are now.
            state: What was learned when there were `state.seen` records.
            shared: What `fit` learned; None where it was not run.

        Returns:
            The new state, or the very same one where it will still do.
        """
        del state
        return self.enroll(user, shared)

    @abstractmethod
    def apply(self, plan: Plan, user: User, state: State | None) -> Plan | Steps[Plan]:
        """Make a plan personal: pure, fast, without I/O.

        Args:
            plan: The plan so far.
            user: The person.
            state: What `enroll` learned of them; None where there is nothing, as there is for
                whoever was not enrolled in a method that trains.

        Returns:
            The plan, or steps that end in it. With nothing to say, the very same plan.
        """

    def rewards(self, plan: Plan, texts: Sequence[str], user: User, state: State | None) -> Rewards:
        """Say how much the person likes each of several answers to a plan.

        Asked where a plan has several candidates, of every method of the composition.

        Args:
            plan: The plan that was run.
            texts: Its candidates.
            user: The person.
            state: What `enroll` learned of them.

        Returns:
            One finite number a text, higher is better; None, the default, is no say.
        """
        del plan, texts, user, state
        return None

    @property
    def fewest(self) -> int:
        """How many records a person has, at least, of whom it learns anything worth a job."""
        return 1

    @property
    def settings(self) -> dict[str, Any]:
        """The hyperparameters, by name."""
        return asdict(self)

    @property
    def settings_hash(self) -> str:
        """A short hash of the hyperparameters, which states are kept under."""
        blob = json.dumps(self.settings, sort_keys=True)
        return hashlib.sha256(blob.encode()).hexdigest()[:12]


def due(user: User, state: State, refresh: int) -> bool:
    """Whether so many records came or went since a state was learned that it is learned anew.

    Args:
        user: The person as they are now.
        state: A state whose fact `records` is how many there were.
        refresh: How many are enough.

    Returns:
        Whether there were.
    """
    return bool(abs(len(user) - state.facts["records"]) >= refresh)
