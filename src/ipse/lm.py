"""What may be asked of a model, and what it answers.

One narrow protocol, which every backend satisfies and which is all that methods know of one.
"""

# Over 300 lines because all that may be asked of a model, and its answers, stand in one place.

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from ipse.job import Job, Trained
from ipse.plan import Need, Plan

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "LM",
    "Cut",
    "Embed",
    "Finish",
    "FitSteering",
    "Hidden",
    "Hold",
    "Inputs",
    "Kept",
    "Likelihood",
    "Loader",
    "Piece",
    "Progress",
    "Reply",
    "Score",
    "Train",
    "UnderWay",
    "Write",
]

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

Loader: TypeAlias = "Callable[[str], Mapping[str, NDArray[Any]]]"
"""Gives the arrays of a state by their content hash (`State.artifact`); what `Store` keeps.

A plan names `<content hash>`, or `<content hash>/<part>` where one state holds several things:

- an adapter is, for each module it changes, `<module path>.lora_A` (rank, in) and `.lora_B`
  (out, rank), perhaps `.lora_C` (rank,), what is added between the two, and `scale`, one number;
  or `<module path>.scales` (out,), factors of its outputs; of a part, all with `<part>/` in front;
  with `Adapter.own`, these and the own ones, which stand in for those of the same names
- a pool of adapters has one array a name, the adapters' (count, ...) of that name stacked; with own
  arrays `pieces.index` and `pieces.weight`, (modules, k) each, an adapter is each module's sum of
  those of these numbers, `lora_A` and `lora_B` apart, the modules in the order of their paths
- a prefix is the array `prefix` (length, hidden), or the one called `<part>`
- a steering vector is the array `vector` (hidden,), or the one called `<part>`
"""


@dataclass(frozen=True)
class Embed:
    """A method's request for the embeddings of some texts: unit vectors of (texts, width)."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Cut:
    """A method's request for the first `limit` tokens of a text, all of them where it is None."""

    text: str
    limit: int | None = None


@dataclass(frozen=True)
class Piece:
    """The answer to a `Cut`: the text that is left, and how many tokens it has."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Write:
    """A method's request for the answers to several plans at once: a list of replies."""

    plans: tuple[Plan, ...]


@dataclass(frozen=True)
class Likelihood:
    """A method's request for how likely texts are as answers: a list of scores, one a plan."""

    plans: tuple[Plan, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Hold:
    """A method's request to hold arrays that no store keeps yet; it is sent a name for plans.

    For learning that has to try what it makes, such as a steering vector at several scales. The
    backend holds a bounded number of bytes of them, the latest.
    """

    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Hidden:
    """A method's request for hidden states, (plans, layers, hidden) float32; each is read once.

    Attributes:
        plans: What is read; of each, its main stream, with what that stream attaches. All are read
            by the same model.
        targets: One text a plan, read as the answer to it; "" reads the prompt alone.
        layers: The residual streams behind these decoder layers are taken, counted from 0; where a
            `Steering` of the same layer adds. Negative counts from the last.
        position: `last` takes the last token that is read, `mean` the mean over the target's
            tokens, or over the prompt's where the target is "".
    """

    plans: tuple[Plan, ...]
    targets: tuple[str, ...]
    layers: tuple[int, ...]
    position: Literal["last", "mean"] = "last"


@dataclass(frozen=True)
class Kept:
    """A method's request for the arrays of a state, by the name that plans use: by their names.

    For methods that make something for each question from what they learned of everyone.
    """

    name: str


@dataclass(frozen=True)
class Inputs:
    """A method's request for what a model's modules read: `<module path>` to (inputs,) float32.

    Each module's inputs, layer-normalized (no scale, no shift), on average over all tokens of all
    targets: what the gates of Per-Pcs are compared with (arXiv 2406.10471, section 3.3).

    Attributes:
        plans: What is read; of each, its main stream, with what that stream attaches.
        targets: One text a plan, read as the answer to it.
    """

    plans: tuple[Plan, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class FitSteering:
    """A method's request for a steering vector trained from preference pairs: (hidden,) float32.

    Bi-directional preference optimization (BiPO, arXiv 2406.00045, eq. 3): with `d` drawn from
    {-1, 1} at each step, `v` minimizes `-log sigmoid(d beta [log p(chosen | x, d v) / p(chosen | x)
    - log p(rejected | x, d v) / p(rejected | x)])`, where `d v` is added behind `layer` at every
    position and the model is frozen. Training begins at `v = 0` and is the same for the same seed.

    Attributes:
        plans: What comes before each pair; of each, its main stream.
        chosen: One text a plan: what was preferred.
        rejected: One text a plan: what it was preferred to.
        layer: Where the vector is added, counted from 0; negative counts from the last.
        beta: How far from the frozen model, as in the paper (0.1).
        steps: Updates of AdamW, under a cosine schedule with warm-up.
        batch: Pairs an update.
        rate: The highest learning rate, as in the paper (5e-4) unless changed.
        decay: AdamW's weight decay, as in the paper (0.05).
        seed: The order of the pairs and the directions.
    """

    plans: tuple[Plan, ...]
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]
    layer: int
    beta: float = 0.1
    steps: int = 100
    batch: int = 4
    rate: float = 5e-4
    decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class Train:
    """A method's request to learn: a list of `Trained`, one a job.

    Jobs of many people that are asked for at the same time are learned in one batch; each gets what
    it would get alone.
    """

    jobs: tuple[Job, ...]


Finish = Literal["stop", "length", "tool_calls"]
"""Why an answer ended: its turn or a stop text, `max_tokens`, or that tools are to be called."""


@dataclass(frozen=True)
class Reply:
    """A backend's answer to a plan.

    Attributes:
        text: The answer.
        finish: Why it ended.
        prompt_tokens: Tokens read, over all streams.
        tokens: Tokens generated.
        candidates: The answers drawn; a backend gives the first as `text`, `ipse.methods.choose`
            the one that the person likes best.
        finishes: Why each candidate ended.
        rewards: How much the person likes each candidate, where one was chosen.
        calls: The tools to be called, a JSON list in the words of OpenAI; "" where there is none.
    """

    text: str
    finish: Finish = "stop"
    prompt_tokens: int = 0
    tokens: int = 0
    candidates: tuple[str, ...] = ()
    finishes: tuple[Finish, ...] = ()
    rewards: tuple[float, ...] = ()
    calls: str = ""


@dataclass(frozen=True)
class Score:
    """How likely a text is as the answer to a plan.

    Attributes:
        logprobs: The natural log-probability of each token of the text, in nats.
        prompt_tokens: Tokens read before the text, over all streams.
    """

    logprobs: tuple[float, ...]
    prompt_tokens: int = 0

    @property
    def nats(self) -> float:
        """The negative log-likelihood of the whole text, in nats."""
        return -math.fsum(self.logprobs)

    @property
    def tokens(self) -> int:
        """How many tokens the text has."""
        return len(self.logprobs)


@dataclass(frozen=True)
class UnderWay:
    """What a backend is about, at one moment; the tokens are counted since it began.

    Attributes:
        waiting: Answers that wait for room.
        rows: Streams that are read or written together: the batch.
        looked_up: Tokens of prompts that were looked up among beginnings read before.
        found: Of those, the tokens that were not read again.
        kept: Bytes of such beginnings.
    """

    waiting: int
    rows: int
    looked_up: int
    found: int
    kept: int


class LM(Protocol):
    """A language model and an embedder, seen from a method."""

    @property
    def name(self) -> str:
        """The registry name."""
        ...

    @property
    def base(self) -> str:
        """The language model's name, with what identifies its weights."""
        ...

    @property
    def embedder(self) -> str:
        """The embedder's name, with what identifies its weights."""
        ...

    @property
    def carries(self) -> frozenset[Need]:
        """What it can do; a plan that needs more is refused before it runs."""
        ...

    def generate(self, plans: Sequence[Plan], on_progress: Progress | None = None) -> list[Reply]:
        """Answer every plan; a batch gives what one by one gives."""
        ...

    def stream(self, plan: Plan) -> Generator[str, None, Reply]:
        """Answer one plan in pieces of text, then return what `generate` gives: their sum."""
        ...

    def score(
        self, plans: Sequence[Plan], targets: Sequence[str], on_progress: Progress | None = None
    ) -> list[Score]:
        """Give the log-probability of each target as the answer to its plan."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give unit vectors of shape (texts, width)."""
        ...

    def cut(self, text: str, limit: int | None = None) -> Piece:
        """Keep the first `limit` tokens of a text by the language model's own tokenizer."""
        ...

    def hidden(self, ask: Hidden) -> NDArray[np.float32]:
        """Give hidden states, (plans, layers, hidden)."""
        ...

    def inputs(self, ask: Inputs) -> Mapping[str, NDArray[np.float32]]:
        """Give what modules read on average: by path, (inputs,)."""
        ...

    def fit_steering(self, ask: FitSteering) -> NDArray[np.float32]:
        """Train a steering vector from preference pairs, (hidden,)."""
        ...

    def train(
        self,
        jobs: Sequence[Job],
        on_progress: Progress | None = None,
        scratch: Path | None = None,
    ) -> list[Trained]:
        """Learn every job, many in one batch; each gets what it would get alone.

        Args:
            jobs: The jobs.
            on_progress: Told how many examples were learned from, and of how many at most.
            scratch: A folder to keep what is half done in: the same jobs go on from there.

        Returns:
            What was learned, one a job.
        """
        ...

    def attach(self, loader: Loader) -> None:
        """Say where the arrays that plans name are loaded from."""
        ...

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        """Give the arrays of a name: those that are held, or those of the attached store."""
        ...

    def hold(self, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Hold arrays as a store would keep them, in memory, and give their name for plans."""
        ...

    def forget(self) -> None:
        """Let go of everything kept in memory that was read, attached or learned.

        What is in use by then stays until it is done, and is not kept after that.
        """
        ...

    def under_way(self) -> UnderWay | None:
        """Say what is under way, and how much was read before; None where it does not know."""
        ...
