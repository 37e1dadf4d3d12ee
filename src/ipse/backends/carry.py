"""What each backend carries, and the one check that a plan needs no more than that.

A plan needs, a backend carries; the gap is one error before anything runs, never a silent fallback
to the generic model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ipse.errors import NotCarried, UsageError
from ipse.plan import NEEDS, Need, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CARRIED", "Carrier", "Known", "no_store", "require"]

CARRIED: dict[str, frozenset[Need]] = {
    "echo": frozenset(NEEDS) - {"score", "hidden", "fit_steering", "train", "extra"},
    "http": frozenset({"generate", "stream", "score", "embed", "cut", "candidates", "extra"}),
    "local": frozenset(NEEDS) - {"extra"},
}
"""What each backend carries at most; settings and servers can make it less.

The echo shows a plan instead of running it, and shows everything; it has no probabilities
and no hidden states.
"""


class Carrier(Protocol):
    """The part of a backend that says what it can do."""

    @property
    def name(self) -> str:
        """The backend's registry name."""

    @property
    def carries(self) -> frozenset[Need]:
        """What it can do."""


@dataclass(frozen=True)
class Known:
    """What is known of a backend without asking its server.

    Attributes:
        name: The backend's registry name.
        carries: What it can do for certain.
    """

    name: str
    carries: frozenset[Need]


def require(backend: Carrier, plans: Sequence[Plan], verb: Need) -> None:
    """Refuse, before anything runs, what the backend does not carry.

    Args:
        backend: The backend that is to run the plans.
        plans: The plans; none for `embed` and `cut`.
        verb: What is to be done with them.

    Raises:
        NotCarried: If the verb or a plan needs what the backend does not carry.
    """
    wanted = frozenset({verb}).union(*(plan.needs for plan in plans))
    if missing := [need for need in NEEDS if need in wanted - backend.carries]:
        carriers = [name for name, has in CARRIED.items() if wanted <= has and name != "echo"]
        raise NotCarried(
            f"this needs {', '.join(missing)}, which the backend {backend.name!r} does not carry "
            f"as it is set up. {_way_out(backend.name, carriers)}"
        )


def no_store(name: str) -> Mapping[str, NDArray[Any]]:
    """Refuse, always: it stands for a store's arrays where no store was attached."""
    raise UsageError(
        f"there is no store to read {name!r} from. "
        "Open the backend with Ipse(store, backend), or call attach(loader)"
    )


def _way_out(name: str, carriers: Sequence[str]) -> str:
    if not carriers:
        return "No backend carries it yet"
    others = [carrier for carrier in carriers if carrier != name]
    mend = f"Another server or setting of {name!r} may carry it. " if name in carriers else ""
    return f"{mend}Backends that carry it: {', '.join(others)}" if others else mend.strip()
