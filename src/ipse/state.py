"""State: what a method learned of one person, or of everyone, and from what.

A state is small JSON facts plus named arrays, with the ids of the records it was made from, in
order. Deleting a record finds every state made from it, and every state made from such a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ipse.errors import InvalidPlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SavedState", "State", "StateKey"]


def _no_arrays() -> Mapping[str, NDArray[Any]]:
    return {}


@dataclass(frozen=True, eq=False)
class State:
    """What a method learned. A method makes one, and is handed it back at every request.

    Attributes:
        facts: Small JSON-able things.
        arrays: Named arrays, read only; kept as one safetensors artefact.
        lineage: The ids of the records it was made from; the order is the method's own.
        seen: The fingerprint of the view it was made from; set by the life cycle.
        artifact: The content-hashed name of `arrays`, what a plan names; set by the store.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=_no_arrays, repr=False)
    lineage: tuple[str, ...] = ()
    seen: int = 0
    artifact: str | None = None

    @property
    def nbytes(self) -> int:
        """The size of the arrays, in bytes."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def kept_name(self) -> str:
        """The name of the arrays, for plans and other states; `InvalidPlan` where not kept yet."""
        if self.artifact is None:
            raise InvalidPlan("the store names what was learned: keep the state before it is used")
        return self.artifact


@dataclass(frozen=True)
class StateKey:
    """What a state is of: there is at most one current state for each key.

    Attributes:
        method: The method's registry name.
        settings: The hash of the method's hyperparameters.
        user: Whose state; None is everyone's.
        base: The model or embedder it was made with, "" where none was.
    """

    method: str
    settings: str
    user: str | None
    base: str = ""


@dataclass(frozen=True, eq=False)
class SavedState:
    """A state as the store keeps it.

    Attributes:
        key: What it is of.
        state: What was learned.
        parents: The ids of states it was made from, such as everyone's for one person's.
        made: When, in UTC.
        id: Given by the store.
    """

    key: StateKey
    state: State
    parents: tuple[str, ...] = ()
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = ""

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory."""
        return 4096 + self.state.nbytes + 100 * len(self.state.lineage)
