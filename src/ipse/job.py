"""Jobs: what to learn, as inert data.

A method says what is to be learned, from what and how; a backend that carries `train` learns it.
Neither knows the other. As in plans, tensors stand by name only. What a backend learns comes back
as named arrays, which a method keeps in its state.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ipse.errors import InvalidJob
from ipse.loss import Example, Loss, LossName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "MODULES",
    "Decay",
    "Example",
    "Gates",
    "Hypernetwork",
    "Job",
    "Learn",
    "Lora",
    "Loss",
    "LossName",
    "Module",
    "Scales",
    "Schedule",
    "SoftForm",
    "SoftPrefix",
    "Trained",
]

Module = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""The products of a decoder's layer that can be changed."""

MODULES: tuple[Module, ...] = get_args(Module)

Decay = Literal["linear", "cosine", "constant"]
"""How the learning rate falls once it has risen."""


SoftForm = Literal["attend", "each"]
"""Whether a soft prompt sums records up by attention, or has a place for each."""


@dataclass(frozen=True)
class Lora:
    """Low-rank weights beside some modules (arXiv 2106.09685, eq. 3): `alpha / rank * B A x`.

    With `width`, owners have vectors of their own (PLoRA, arXiv 2403.06208, eq. 4):
    `alpha / rank * B (A x + P p)`, where `P` (rank, width) is one a module, and `p` (width,) one an
    owner, zero at first.

    Attributes:
        rank: The rank.
        alpha: The scale, before it is divided by the rank.
        modules: What is changed, in every layer.
        dropout: The share of a module's inputs that is left out, by chance, while it learns.
        width: The width of each owner's vector; 0 is none.
        only_owners: Only the owners' vectors learn, and only they come back; all else is as it
            was at the start.
    """

    rank: int = 8
    alpha: float = 8.0
    modules: tuple[Module, ...] = ("q_proj", "v_proj")
    dropout: float = 0.0
    width: int = 0
    only_owners: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InvalidJob(f"the rank must be at least 1; got {self.rank}")
        if not 0 <= self.dropout < 1:
            raise InvalidJob(f"dropout must be from 0 to below 1; got {self.dropout}")
        _check_modules(self.modules)


@dataclass(frozen=True)
class Scales:
    """One factor an output of some modules, 1 at first: (IA)^3 (arXiv 2205.05638, section 3.3).

    The paper scales the inputs of `down_proj`; the outputs of `up_proj` are the same products.

    Attributes:
        modules: What is changed, in every layer.
    """

    modules: tuple[Module, ...] = ("k_proj", "v_proj", "up_proj")

    def __post_init__(self) -> None:
        _check_modules(self.modules)


@dataclass(frozen=True)
class Gates:
    """A gate ahead of each module of low-rank weights that stay as they are at the start.

    `x` becomes `x sigmoid(x . g)`, with one `g` (inputs,) a module, zero at first (Per-Pcs, arXiv
    2406.10471, section 3.2).

    Attributes:
        rank: The rank of the weights.
        modules: What they change, in every layer.
    """

    rank: int = 8
    modules: tuple[Module, ...] = ("q_proj", "v_proj")

    def __post_init__(self) -> None:
        _check_modules(self.modules)


@dataclass(frozen=True)
class Hypernetwork:
    """A network that makes low-rank weights from an example's line (Profile-to-PEFT, 2510.16282).

    `[line; code of the module; code of the layer]` goes through two layers of `hidden` units
    (SiLU), which all share, then through a linear head for `A` and one for `B`, a kind of module
    each. `B` is zero at first, so that nothing is changed.

    Attributes:
        rank: The rank of the weights it makes.
        alpha: Their scale, before it is divided by the rank.
        modules: What they change, in every layer.
        hidden: How many units a layer has.
        code: How long the codes are.
    """

    rank: int = 8
    alpha: float = 8.0
    modules: tuple[Module, ...] = ("q_proj", "v_proj")
    hidden: int = 128
    code: int = 64

    def __post_init__(self) -> None:
        if min(self.rank, self.hidden, self.code) < 1:
            raise InvalidJob(f"no size of a hypernetwork may be below 1; got {self}")
        _check_modules(self.modules)


@dataclass(frozen=True)
class SoftPrefix:
    """A soft prompt made from an example's lines: the question's `q` first, then records' `h_i`.

    It is `instruction` places that all share, then `sum_i w_i MLP(h_i)`, where `w` is the softmax
    of `h_i . W q` (PPlug, arXiv 2409.11901, section 3); with `each`, `MLP(h_i)` of the latest
    `places` records, and a vector of its own where there is none (UEM, arXiv 2401.04858). Each is
    as long as the model's embeddings are on average.

    Attributes:
        form: Whether records are summed up, or have a place each.
        places: How many records have one.
        instruction: How many places all share.
        hidden: How many units the MLP has.
        sharp: What the diagonal of `W` begins with.
    """

    form: SoftForm = "attend"
    places: int = 1
    instruction: int = 1
    hidden: int = 384
    sharp: float = 1.0

    def __post_init__(self) -> None:
        if self.form not in get_args(SoftForm):
            raise InvalidJob(f"unknown form {self.form!r}. Known: {', '.join(get_args(SoftForm))}")
        if min(self.places, self.hidden) < 1 or self.instruction < 0:
            raise InvalidJob(f"no size of a soft prompt may be below 1; got {self}")


Learn: TypeAlias = Gates | Hypernetwork | Lora | Scales | SoftPrefix
"""What can be learned."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn: AdamW under a rate that rises, then falls.

    Attributes:
        rate: The highest learning rate.
        epochs: How often each example is learned from.
        batch: Examples an update.
        warm: The share of the updates in which the rate rises.
        decay: How it falls after that.
        weight_decay: AdamW's.
        clip: The longest gradient of one job; 0 is any.
        patience: Epochs in which the held-out examples may get no likelier before the job stops;
            0 never stops it. Wherever there are held-out examples, the best epoch is what is kept.
    """

    rate: float = 1e-3
    epochs: int = 2
    batch: int = 4
    warm: float = 0.1
    decay: Decay = "linear"
    weight_decay: float = 0.01
    clip: float = 1.0
    patience: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise InvalidJob(f"epochs and batch must be at least 1; got {self}")
        numbers = (self.rate, self.warm, self.weight_decay, self.clip, self.patience)
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            raise InvalidJob(f"no number of a schedule may be below 0; got {self}")
        if self.decay not in get_args(Decay):
            raise InvalidJob(f"unknown decay {self.decay!r}. Known: {', '.join(get_args(Decay))}")


@dataclass(frozen=True)
class Job:
    """What to learn, from what, and how.

    An update's loss is the mean over its examples, by default of each one's mean negative
    log-likelihood a token, in nats: a person with long texts counts no more than one with short.

    Attributes:
        learn: What is learned.
        examples: From what.
        held_out: What is only looked at, to stop in time.
        start: The content-hashed name of what learning goes on from; "" begins anew.
        table: The name of an array `table` (lines, width) that examples are learned under.
        schedule: How long and how fast.
        seed: Of the order, of what is left out, and of what it begins with.
        loss: What is made small.
    """

    learn: Learn
    examples: tuple[Example, ...]
    held_out: tuple[Example, ...] = ()
    start: str = ""
    table: str = ""
    schedule: Schedule = field(default_factory=Schedule)
    seed: int = 0
    loss: Loss = field(default_factory=Loss)

    def __post_init__(self) -> None:
        if not self.examples:
            raise InvalidJob("a job has no examples, so there is nothing to learn")
        for example in (*self.examples, *self.held_out):
            if bool(example.rejected) != self.loss.compares:
                needs = "compares pairs" if self.loss.compares else "compares no pairs"
                raise InvalidJob(
                    f"the loss {self.loss.name!r} {needs}, and the example {example.target[:40]!r} "
                    f"has the rejected text {example.rejected[:40]!r}"
                )

    @property
    def hash(self) -> str:
        """What this job is, in a few digits: the same job gives the same result."""
        told = asdict(self)
        # Only what differs, so that plain jobs are called as they were without what came later.
        if self.loss == Loss():
            del told["loss"]
        for example in (*told["examples"], *told["held_out"]):
            for message in filter(lambda m: not m["extra"], example["stream"]["messages"]):
                del message["extra"]
            for name, default in _PLAIN.items():
                if example[name] == default:
                    del example[name]
        blob = json.dumps([type(self.learn).__name__, told], sort_keys=True)
        return hashlib.sha256(blob.encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Trained:
    """What a job gave.

    Attributes:
        arrays: What was learned, by the names of `ipse.lm.Loader`; what owners have by themselves
            is `owners/<owner>` (width,) beside `<module path>.lora_P` (rank, width), and of the two
            `lora_C` is made for one who is served: `P p`.
        facts: How it went, JSON-able: `updates`, `seconds` (the job's share of the work that was
            done for all), the mean loss of each epoch (`nats`), the held-out examples' before the
            first and after each (`held_out`), and which epoch's is kept (`best`; 0 is the start).
    """

    arrays: Mapping[str, NDArray[np.generic]]
    facts: Mapping[str, Any]


_PLAIN = {"rejected": "", "weight": 1.0, "margin": 0.0, "belief": 1.0}
"""What an example has where it says nothing of how it is weighed."""


def _check_modules(modules: tuple[Module, ...]) -> None:
    strange = [module for module in modules if module not in MODULES]
    if strange or not modules or len(set(modules)) < len(modules):
        raise InvalidJob(f"modules must be some of {', '.join(MODULES)}, each once; got {modules}")
