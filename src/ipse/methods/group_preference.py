"""`group-preference`: what a person likes is what is like what they chose, as people go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.learned_reward import LearnedReward, learner_of
from ipse.rewards import Group

__all__ = ["GroupPreference"]


@dataclass(frozen=True)
class GroupPreference(LearnedReward):
    """Reward answers by attention over the person's pairs: GPO (2310.11523).

    It changes no plan: it has a say where several answers are drawn, such as with
    `best-of-n:reward=none+group-preference`.

    Attributes:
        features: What texts are described by: `attributes`, `embedding` or both.
        heads: Ways in which texts may be alike.
        size: The numbers each compares.
        width: In how many directions texts are looked at: those in which compared ones differ most.
        context: How many of a person's pairs are attended to: the latest.
        steps: Updates.
        batch: People in each.
        rate: The first learning rate.
        people: How many people it is learned from: the first who told a preference.
        most: How many pairs of each: the latest.
        seed: Of where learning begins and of what is drawn.
    """

    name: ClassVar[str] = "group-preference"
    paper: ClassVar[str] = "2310.11523"
    stores: ClassVar[str] = "`width` numbers a text of the latest pairs"

    heads: int = 4
    size: int = 16
    width: int = 32
    context: int = 128
    steps: int = 1000
    batch: int = 8
    rate: float = 3e-3
    seed: int = 0

    @property
    def learner(self) -> Group:
        """What learns."""
        return learner_of(Group, self)
