"""How fast answers are scored, against a plain loop over `transformers`: batch 8, nothing shared.

    python benchmarks/scoring.py [--quick] [--json]

The items are real ones, the embedded model is the same in both, in float32, and both must find the
same likelihoods. Median of the repeats; what is drawn together is timed together.

    choices_over_loop     items of `authors`: four choices share a prompt. Items a second, ours
                          over the loop's
    history_over_loop     items of `ukpconvarg-reason` under `full`: a person's items share their
                          history
    alone_over_loop       the same items under the generic model: they share next to nothing
    choices_per_s         ours, items a second, likewise history_per_s and alone_per_s
    largest_difference    between the two, in nats a token
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import islice

import torch
from _bench import arguments, report, seconds

from ipse.backends import open_backend
from ipse.backends.local.model import load_model
from ipse.backends.local.weights import EMBEDDED, model_folder
from ipse.evaluation.tasks import open_task
from ipse.lm import LM
from ipse.methods import Learned, parse, personalize
from ipse.plan import Plan

BATCH = 8
TOLERANCE = 1e-3
ITEMS, REPEATS = 9, 3
QUICK_ITEMS, QUICK_REPEATS = 3, 1

Pairs = list[tuple[Plan, str]]


def main() -> None:
    options = arguments(__doc__)
    items = QUICK_ITEMS if options.quick else ITEMS
    repeats = QUICK_REPEATS if options.quick else REPEATS
    lm, plain = open_backend("local"), Plain()
    figures: dict[str, float] = {}
    differences = []
    for name, pairs in (
        ("choices", choices(items)),
        ("history", reasons(items, "full:budget=600", lm)),
        ("alone", reasons(items, "generic", lm)),
    ):
        differences.append(difference(lm, plain, pairs))  # and both are warm
        fast, slow = timed(lm, plain, pairs, repeats)
        figures |= {f"{name}_over_loop": slow / fast, f"{name}_per_s": items / fast}
    figures["largest_difference"] = max(differences)
    if max(differences) > TOLERANCE:
        raise SystemExit(f"the two disagree by {max(differences)} nats a token")
    report("Scoring answers", figures, options, ("ipse", "torch", "transformers"))


def difference(lm: LM, plain: Plain, pairs: Pairs) -> float:
    """Give how far the two are apart, in nats a token."""
    ours = lm.score([plan for plan, _ in pairs], [text for _, text in pairs])
    theirs = plain.score(pairs)
    return max(abs(a.nats - b) / max(1, a.tokens) for a, b in zip(ours, theirs, strict=True))


def timed(lm: LM, plain: Plain, pairs: Pairs, repeats: int) -> tuple[float, float]:
    """Give the median seconds of ours and of the loop, which take turns."""
    plans, targets = [plan for plan, _ in pairs], [text for _, text in pairs]
    fast, slow = [], []
    for _ in range(repeats):
        fast.append(seconds(lambda: lm.score(plans, targets)))
        slow.append(seconds(lambda: plain.score(pairs)))
    return statistics.median(fast), statistics.median(slow)


def choices(items: int) -> Pairs:
    """Give every choice of some items of `authors`, with the plan it may answer."""
    people = open_task("authors:items=2").people(items)
    asked = list(islice((item for person in people for item in person.items), items))
    return [(Plan.ask(item.question), choice) for item in asked for choice in item.choices]


def reasons(items: int, method: str, lm: LM) -> Pairs:
    """Give the reasons of people, three of each, with the plans of a method that learns nothing."""
    learned = [Learned(one) for one in parse(method)]
    people = open_task("ukpconvarg-reason:items=3").people(max(2, items // 3))
    return [
        (personalize(Plan.ask(item.question), person.history, learned, lm), item.target)
        for person in people
        for item in person.items
    ][:items]


class Plain:
    """The loop one writes first: eight rows at a time, padded, logits at every place."""

    def __init__(self) -> None:
        self.model = load_model(model_folder(EMBEDDED), "float32")

    @torch.inference_mode()
    def score(self, pairs: Sequence[tuple[Plan, str]]) -> list[float]:
        """Give the nats of each target as the answer to its plan."""
        found: list[float] = []
        for start in range(0, len(pairs), BATCH):
            rows = [
                (self.model.prompt(plan.main.messages), self.model.tokens(text))
                for plan, text in pairs[start : start + BATCH]
            ]
            width = max(len(prompt) + len(target) for prompt, target in rows)
            ids = torch.zeros(len(rows), width, dtype=torch.long)  # (batch, length)
            mask = torch.zeros_like(ids)
            for line, (prompt, target) in enumerate(rows):
                ids[line, : len(prompt) + len(target)] = torch.tensor(prompt + target)
                mask[line, : len(prompt) + len(target)] = 1
            logits = self.model.network(ids, attention_mask=mask, use_cache=False).logits
            logprobs = torch.log_softmax(logits, dim=-1)  # (batch, length, vocab)
            for line, (prompt, target) in enumerate(rows):
                places = torch.arange(len(prompt) - 1, len(prompt) + len(target) - 1)
                found.append(-float(logprobs[line, places, torch.tensor(target)].sum()))
        return found


if __name__ == "__main__":
    main()
