"""`variational-preference`: what a person likes, guessed as a hidden vector from their pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ipse.methods.learned_reward import LearnedReward, learner_of
from ipse.rewards import Variational

__all__ = ["VariationalPreference"]


@dataclass(frozen=True)
class VariationalPreference(LearnedReward):
    """Reward answers by a text and the person's hidden vector: VPL (2408.10075).

    It changes no plan: it has a say where several answers are drawn, such as with
    `best-of-n:reward=none+variational-preference`.

    Attributes:
        features: What texts are described by: `attributes`, `embedding` or both.
        latent: The length of the hidden vector.
        hidden: The units of each network.
        width: In how many directions texts are looked at: those in which compared ones differ most.
        divergence: The weight of the hidden vectors' divergence from a standard normal one.
        steps: Updates.
        batch: People in each.
        rate: The first learning rate.
        people: How many people it is learned from: the first who told a preference.
        most: How many pairs of each: the latest.
        seed: Of where learning begins and of what is drawn.
    """

    name: ClassVar[str] = "variational-preference"
    paper: ClassVar[str] = "2408.10075"
    stores: ClassVar[str] = "a hidden vector"

    latent: int = 8
    hidden: int = 32
    width: int = 32
    divergence: float = 1e-3
    steps: int = 1500
    batch: int = 16
    rate: float = 1e-2
    seed: int = 0

    @property
    def learner(self) -> Variational:
        """What learns."""
        return learner_of(Variational, self)
