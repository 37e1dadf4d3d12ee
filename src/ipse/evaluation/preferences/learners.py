"""What learned rewards are compared with: everyone's reward, and each person's by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipse.rewards import Arrays, Compared, Online
from ipse.rewards.learning import Floats, compressed

__all__ = ["Alone", "Everyones"]


@dataclass(frozen=True)
class Everyones:
    """The one linear reward that fits everyone's pairs best; a person's own change nothing."""

    width: int = 64
    ridge: float = 3.0

    def fit(self, people: Sequence[Compared]) -> Arrays:
        """Learn the reward."""
        onto, _, mean = compressed(people, self.width, self.ridge)
        return {"mean": onto @ mean}

    def infer(self, shared: Arrays, own: Compared) -> Arrays:
        """Learn nothing."""
        del shared, own
        return {}

    def reward(self, shared: Arrays, own: Arrays, texts: Floats) -> Floats:
        """Give everyone's reward, (texts,)."""
        del own
        return texts @ shared["mean"]


@dataclass(frozen=True)
class Alone:
    """A logistic model of each person's own pairs, held to everyone's in all directions alike.

    Attributes:
        prior: How hard.
        width: In how many directions rewards may lie.
        ridge: How hard everyone's reward is held to none.
    """

    prior: float = 30.0
    width: int = 64
    ridge: float = 3.0

    def fit(self, people: Sequence[Compared]) -> Arrays:
        """Learn everyone's reward; its bases are all directions there are."""
        onto, _, mean = compressed(people, self.width, self.ridge)
        return {"mean": onto @ mean, "bases": onto}

    def infer(self, shared: Arrays, own: Compared) -> Arrays:
        """Learn the person's weights."""
        return Online.begun(shared, self.prior).told(shared, own, noise=0.0).arrays

    def reward(self, shared: Arrays, own: Arrays, texts: Floats) -> Floats:
        """Give the person's reward, (texts,)."""
        del shared
        return texts @ own["weights"]
