"""Examples, and what of them is made small: the parts of a job that say what is better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ipse.errors import InvalidJob
from ipse.plan import Stream

__all__ = ["Example", "Loss", "LossName"]

LossName = Literal["nll", "dpo", "modpo", "ipo"]
"""What is made small: `Loss` has the equations."""


@dataclass(frozen=True)
class Example:
    """One text to learn to answer with, perhaps rather than with another.

    Attributes:
        stream: What is read before it, and what that attaches: none of that changes.
        target: The text; that it ends there is learned too.
        owner: Whose it is: what is learned of each person by themselves goes by this name.
        lines: The lines of the job's table that it is learned under, the question's own first.
        rejected: What the target is preferred to, where the loss compares; "" elsewhere.
        weight: What the example counts; below 0 the target becomes less likely.
        margin: What other rewards say of the target minus what they say of `rejected`: MODPO's
            `w_-k . (r_-k(chosen) - r_-k(rejected))`.
        belief: How likely the target is the better one, in [0, 1]; 0.5 is a tie.
    """

    stream: Stream
    target: str
    owner: str = ""
    lines: tuple[int, ...] = ()
    rejected: str = ""
    weight: float = 1.0
    margin: float = 0.0
    belief: float = 1.0

    def __post_init__(self) -> None:
        if not self.target.strip():
            raise InvalidJob("an example has an empty target, which teaches nothing. Leave it out")
        if self.rejected == self.target:
            raise InvalidJob(f"an example prefers {self.target[:40]!r} to itself. Leave it out")
        if not all(map(math.isfinite, (self.weight, self.margin))) or not 0 <= self.belief <= 1:
            raise InvalidJob(
                "an example's weight and margin must be finite and its belief in [0, 1]; got "
                f"{self.weight}, {self.margin} and {self.belief}"
            )


@dataclass(frozen=True)
class Loss:
    """What is made small over an update's examples, on average.

    With `h` the reference's log-ratios, `log p/ref (chosen) - log p/ref (rejected)`, in which the
    reference is the model as the job begins, and `b` the example's belief:

    - `nll`: `weight` times the mean negative log-likelihood a token; with `kl`, `kl` times the
      mean over tokens of `ref/p - log ref/p - 1` besides (GRPO, arXiv 2402.03300, eq. 4)
    - `dpo`: `-b log sigmoid(beta h) - (1 - b) log sigmoid(-beta h)` (arXiv 2305.18290, eq. 7)
    - `modpo`: the same with `(beta h - margin) / share` for `beta h`, where `share` is `w_k`, the
      weight of the reward that the pairs are ranked by (arXiv 2310.03708, eq. 10)
    - `ipo`: `(h - (2 b - 1) / (2 beta))^2` (arXiv 2310.12036, eq. 17)

    Attributes:
        name: Which.
        beta: How dear it is to leave the reference.
        share: MODPO's `w_k`, above 0 and at most 1.
        sft: What the mean nats a token of the chosen text count besides, where pairs are compared
            (RPO, arXiv 2404.19733, eq. 1).
        kl: What the distance to the reference counts, where they are not.
    """

    name: LossName = "nll"
    beta: float = 0.1
    share: float = 1.0
    sft: float = 0.0
    kl: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(LossName):
            raise InvalidJob(f"unknown loss {self.name!r}. Known: {', '.join(get_args(LossName))}")
        if not (0 < self.beta < math.inf and 0 < self.share <= 1):
            raise InvalidJob(f"beta must be above 0 and share in (0, 1]; got {self}")
        if not all(math.isfinite(number) and number >= 0 for number in (self.sft, self.kl)):
            raise InvalidJob(f"sft and kl of a loss must be at least 0; got {self}")

    @property
    def compares(self) -> bool:
        """Whether it is of pairs."""
        return self.name != "nll"

    @property
    def refers(self) -> bool:
        """Whether it needs to know how likely texts were as the job began."""
        return self.compares or self.kl > 0
