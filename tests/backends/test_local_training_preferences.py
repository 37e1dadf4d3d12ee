"""Learning which of two texts is better: the published equations, together as alone, resumed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from ipse.backends.local.training import checkpoint
from ipse.backends.local.training.kinds import begin
from ipse.backends.local.training.losses import loss_of
from ipse.backends.local.training.passes import Asked, _begins, passes
from ipse.backends.local.training.rows import rows_of
from ipse.backends.local.training.trainer import Trainer
from ipse.errors import InvalidJob
from ipse.job import MODULES, Example, Job, Lora, Loss, Scales, Schedule
from ipse.plan import Adapter, Plan, Steering
from tests.backends.attachments import lora
from tests.backends.test_local_training import adapted, alone, close, job
from tests.backends.test_local_training_resume import Killed, Killer, same_bits, train

DPO = Loss("dpo", beta=0.5)
SLOW = Schedule(rate=1e-3, epochs=3, batch=2)
LOSSES = {
    "dpo": DPO,
    "with the chosen text's own": replace(DPO, sft=0.5),
    "modpo": Loss("modpo", beta=0.5, share=0.4),
    "ipo": Loss("ipo", beta=0.02),
}


def compared(loss: Loss, person: int = 0, count: int = 4, held: int = 2, **fields) -> Job:
    """A person who prefers their own word to another."""
    one = job(person, count, held, **{"schedule": SLOW, **fields})

    def pair(example: Example, i: int, tie: int) -> Example:
        margin = 0.3 * (i % 3) if loss.name == "modpo" else 0.0
        belief = 0.5 if i == tie else 1.0
        rejected = "It says" + " nothing" * (i % 4) + " of it"
        return replace(example, rejected=rejected, margin=margin, belief=belief)

    parts = {
        name: tuple(pair(e, i, tie) for i, e in enumerate(getattr(one, name)))
        for name, tie in (("examples", 1), ("held_out", -1))
    }
    return replace(one, loss=loss, **parts)


def signed(person: int = 0, kl: float = 0.5) -> Job:
    """A person whose examples count for and against."""
    one = job(person, 4)
    weights = (1.5, -0.5, 0.7, -1.0)
    every = tuple(replace(e, weight=w) for e, w in zip(one.examples, weights, strict=True))
    return replace(one, examples=every, loss=Loss(kl=kl))


def likelihoods(pico, one: Job, name: str = "") -> list[list[float]]:
    """How likely held-out texts are as they are served, the chosen and the rejected."""
    plans = [adapted(e.stream, name) if name else Plan(e.stream) for e in one.held_out]
    found = []
    for of in ("target", "rejected"):
        scores = pico.score(plans, [getattr(e, of) for e in one.held_out])
        found.append([-score.nats for score in scores])
    return found


def test_without_a_loss_a_job_is_called_what_it_was_called():
    plain = Job(Lora(), (Example(Plan.ask("Why?").main, "Because."),))
    assert plain.hash == "c29a6696e2157d31c3ba5d684d5aaed1"
    changed = [
        replace(plain, loss=Loss(kl=0.1)),
        replace(plain, examples=(replace(plain.examples[0], weight=2.0),)),
        *(compared(loss) for loss in LOSSES.values()),
        compared(replace(DPO, beta=0.2)),
    ]
    (pair, *rest) = changed[2].examples
    for fields in ({"rejected": "No."}, {"margin": 1.0}, {"belief": 0.7}):
        changed.append(replace(changed[2], examples=(replace(pair, **fields), *rest)))
    assert len({plain.hash, *(each.hash for each in changed)}) == len(changed) + 1


def test_losses_are_as_published():
    now = (torch.tensor([-1.0, -2.0]), torch.tensor([-3.0]))
    before = (torch.tensor([-2.0, -2.5]), torch.tensor([-2.0]))
    ahead = torch.tensor((-3.0 + 4.5) - (-3.0 + 2.0))  # log-ratio chosen - log-ratio rejected
    pair = Example(Plan.ask("?").main, "a", rejected="b", margin=0.3, belief=0.8)
    sure = replace(pair, belief=1.0)

    def found(loss, example=sure):
        return loss_of(loss, example, now, before)

    torch.testing.assert_close(found(DPO), -logsigmoid(0.5 * ahead))
    x = (0.5 * ahead - 0.3) / 0.4
    torch.testing.assert_close(found(LOSSES["modpo"]), -logsigmoid(x))
    both = -0.8 * logsigmoid(x) - 0.2 * logsigmoid(-x)
    torch.testing.assert_close(found(LOSSES["modpo"], pair), both)
    torch.testing.assert_close(found(LOSSES["ipo"]), (ahead - 25).square())
    torch.testing.assert_close(found(LOSSES["ipo"], replace(pair, belief=0.5)), ahead.square())
    torch.testing.assert_close(found(replace(DPO, sft=2.0)), found(DPO) + 3.0)
    torch.testing.assert_close(found(DPO, replace(sure, weight=-2.0)), -2 * found(DPO))
    one = replace(pair, rejected="", weight=-3.0)
    apart = before[0] - now[0]
    kl = (apart.exp() - apart - 1).mean()
    torch.testing.assert_close(
        loss_of(Loss(kl=0.2), one, now[:1], before[:1]), 3 * now[0].mean() + 0.2 * kl
    )


def test_a_tie_is_lowest_where_neither_is_ahead():
    tie = Example(Plan.ask("?").main, "a", rejected="b", belief=0.5)
    for loss in (DPO, LOSSES["ipo"]):
        now = [torch.zeros(1, requires_grad=True), torch.zeros(1)]
        loss_of(loss, tie, now, [torch.zeros(1)] * 2).backward()
        assert now[0].grad.item() == 0


@pytest.mark.parametrize("tokens", [512, 100])
def test_pairs_are_learned_together_as_alone(pico, tokens):
    jobs = [
        *(compared(loss, i) for i, loss in enumerate(LOSSES.values())),
        job(4, 3),
        signed(5),
        compared(DPO, 6, learn=Lora(rank=2, modules=MODULES, dropout=0.3)),
    ]
    together = Trainer(tokens).train(pico._place(), pico.base, jobs)
    for one, learned in zip(jobs, together, strict=True):
        single = alone(pico, one)
        close(learned, single)
        for fact in ("nats", "held_out"):
            assert learned.facts[fact] == pytest.approx(single.facts[fact], rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("kind", LOSSES)
def test_the_chosen_text_gets_ahead_and_is_served_so(pico, kind):
    schedule = Schedule(rate=3e-3, epochs=5, batch=2)
    one = compared(LOSSES[kind], count=6, schedule=schedule)
    learned = pico.train([one])[0]
    assert learned.facts["nats"][-1] < learned.facts["nats"][0]
    assert min(learned.facts["held_out"]) < learned.facts["held_out"][0]
    before = likelihoods(pico, one)
    after = likelihoods(pico, one, pico.hold(learned.arrays))
    gains = np.array(after) - np.array(before)  # (chosen and rejected, examples)
    assert gains[0, 0] > gains[1, 0]


def test_the_loss_is_that_of_what_is_served(pico):
    """What training says of held-out pairs follows from the scores of the served adapter."""
    one = compared(DPO, held=1, schedule=Schedule(rate=1e-2, epochs=1, batch=2))
    end = pico._language_model().tokenizer.eos_token
    assert end  # that a text ends is learned too, and not scored, so its share is looked up below
    learned = pico.train([one])[0]
    place = pico._place()
    name = pico.hold(learned.arrays)
    found = []
    for start in ("", name):
        again = replace(one, start=start)
        learnable = begin(again, place.model.core, pico.arrays(start) if start else {}, None)
        (read,) = passes(
            place, [Asked(learnable, r) for r in rows_of(place, one, one.held_out)], 999
        )
        (nats,) = read.look()
        chosen, rejected = nats[: (n := read.asked[0].counts[0])], nats[n:]
        served = likelihoods(pico, one, start)
        assert -sum(chosen[:-1]) == pytest.approx(served[0][0], abs=1e-3)
        assert -sum(rejected[:-1]) == pytest.approx(served[1][0], abs=1e-3)
        found.append(sum(rejected) - sum(chosen))
    expected = -logsigmoid(torch.tensor(0.5 * (found[1] - found[0]))).item()
    assert learned.facts["held_out"] == pytest.approx([np.log(2), expected], abs=1e-4)


def test_the_reference_is_the_start_and_not_the_model(pico):
    first = job(0, 4, held=0, schedule=Schedule(rate=2e-2, epochs=2, batch=2))
    start = pico.hold(pico.train([first])[0].arrays)
    still = Schedule(rate=0.0, epochs=1)
    one = compared(DPO, start=start, schedule=still)
    assert pico.train([one])[0].facts["held_out"] == pytest.approx([np.log(2)] * 2, abs=1e-5)


@pytest.mark.parametrize("learn", [Lora(rank=4, modules=MODULES), Scales()])
@pytest.mark.parametrize("attached", [False, True])
def test_a_pairs_prompt_is_read_once(pico, learn, attached):
    place = pico._place()
    core = place.model.core
    soft = np.random.default_rng(1).standard_normal((3, core.hidden)).astype(np.float32)
    names = {
        "prefix": pico.hold({"prefix": soft}),
        "adapters": (Adapter(pico.hold(lora(core, 1, 3))),),
    }
    one = compared(DPO, learn=learn, attached=names if attached else {})
    gradients, costs = [], []
    for shares in (True, False):
        learnable = begin(one, core, {}, None)
        learnable.by_row = not shares
        chance = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in learnable.parameters.values():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=chance))
        rows = rows_of(place, one, one.examples)
        reference = [torch.full((sum(len(r.targets) for r in row.both),), -2.0) for row in rows]
        asked = [
            Asked(learnable, row, 0.2, None, DPO, before)
            for row, before in zip(rows, reference, strict=True)
        ]
        (whole,) = passes(place, asked, 4096)
        begins = _begins(whole.asked)
        assert whole.tokens == sum(c.span.length for c in whole._chunks(begins))
        assert begins[0::2] == [0] * len(rows)
        assert (min(begins[1::2]) > 10) is shares
        costs.append([*whole.learn(), *np.concatenate(whole.look())])
        gradients.append([p.grad for p in learnable.parameters.values()])
    np.testing.assert_allclose(*costs, atol=1e-5)
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again, atol=1e-5, rtol=1e-4)


def test_a_pairs_gradient_is_that_of_differences(pico):
    place = pico._place()
    one = compared(LOSSES["modpo"], attached={"steering": ()})
    vector = np.random.default_rng(2).standard_normal(place.model.core.hidden).astype(np.float32)
    steering = (Steering(pico.hold({"vector": vector}), 0, 0.5, -2),)
    every = tuple(replace(e, stream=replace(e.stream, steering=steering)) for e in one.examples)
    one = replace(one, examples=every)
    learnable = begin(one, place.model.core, {}, None)
    (weights,) = learnable.parameters.values()
    with torch.no_grad():
        weights += 0.2 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(1))
    rows = rows_of(place, one, one.examples)
    counts = [sum(len(r.targets) for r in row.both) for row in rows]
    asked = [
        Asked(learnable, row, 1.0, None, one.loss, torch.full((count,), -3.0))
        for row, count in zip(rows, counts, strict=True)
    ]

    def costs():
        (whole,) = passes(place, asked, 4096)
        return sum(a.cost(nats) for a, nats in zip(asked, whole.look(), strict=True))

    (whole,) = passes(place, asked, 4096)
    assert sum(whole.learn()) == pytest.approx(costs(), abs=1e-4)
    way = weights.grad / weights.grad.norm()
    found = []
    for sign in (1, -1):
        with torch.no_grad():
            weights += sign * 2e-3 * way
            found.append(costs())
            weights -= sign * 2e-3 * way
    assert (found[0] - found[1]) / 4e-3 == pytest.approx(float(weights.grad.norm()), rel=0.02)


def test_what_counts_against_gets_less_likely_and_kl_holds_back(pico):
    schedule = Schedule(rate=2e-3, epochs=8, batch=4)
    one = replace(job(0, 4, held=0, schedule=schedule))
    one = replace(one, examples=tuple(replace(e, weight=-0.3) for e in one.examples))
    plan, text = [Plan(one.examples[0].stream)], [one.examples[0].target]
    before = pico.score(plan, text)[0].nats
    after = {}
    for kl in (0.0, 3.0):
        name = pico.hold(pico.train([replace(one, loss=Loss(kl=kl))])[0].arrays)
        after[kl] = pico.score([adapted(one.examples[0].stream, name)], text)[0].nats
    assert after[0.0] > before + 5
    assert after[3.0] < (before + after[0.0]) / 2


@pytest.mark.parametrize("loss", [Loss(), Loss(kl=0.0), DPO])
def test_a_weight_is_a_factor_of_loss_and_gradient(pico, loss):
    place = pico._place()
    one = compared(loss) if loss.compares else job(0, 4)
    found = []
    for weight in (1.0, -2.5):
        every = tuple(replace(e, weight=weight) for e in one.examples)
        learnable = begin(one, place.model.core, {}, None)
        rows = rows_of(place, replace(one, examples=every), every)
        counts = [sum(len(r.targets) for r in row.both) for row in rows]
        reference = [torch.full((n,), -2.0) if loss.refers else None for n in counts]
        asked = [
            Asked(learnable, row, 1.0, None, loss, before)
            for row, before in zip(rows, reference, strict=True)
        ]
        (whole,) = passes(place, asked, 4096)
        found.append((whole.learn(), next(iter(learnable.parameters.values())).grad))
    assert found[1][0] == pytest.approx([-2.5 * loss for loss in found[0][0]])
    torch.testing.assert_close(found[1][1], -2.5 * found[0][1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("updates", [1, 3])
def test_pairs_go_on_to_the_same_bits(pico, tmp_path, monkeypatch, updates):
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", float("inf"))
    jobs = [compared(DPO), compared(LOSSES["modpo"], 1, held=0), signed(2), job(3, 3)]
    expected = train(pico, jobs)
    with pytest.raises(Killed):
        train(pico, jobs, Killer(updates), tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.exists()
    last = Killer(0)
    same_bits(train(pico, jobs, last, tmp_path), expected)
    assert last.seen[0][0] > 2 * updates * 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": Loss()}, "compares no pairs.*rejected text 'It says"),
        ({"examples": job(0, 1).examples}, "'dpo' compares pairs.* rejected text ''"),
        ({"held_out": job(0, 1).examples}, "compares pairs"),
    ],
)
def test_a_job_that_contradicts_its_loss_is_refused(fields, message):
    with pytest.raises(InvalidJob, match=message):
        replace(compared(DPO), **fields)


@pytest.mark.parametrize(
    ("cls", "fields", "message"),
    [
        (Loss, {"name": "ppo"}, "unknown loss 'ppo'. Known: nll, dpo"),
        (Loss, {"beta": 0.0}, "beta must be above 0"),
        (Loss, {"share": 0.0}, "share in"),
        (Loss, {"kl": -1.0}, "at least 0"),
        (Example, {"rejected": "a"}, "prefers 'a' to itself"),
        (Example, {"weight": float("nan")}, "must be finite"),
        (Example, {"belief": 1.5}, r"belief in \[0, 1\]"),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(cls, fields, message):
    given = {"stream": Plan.ask("?").main, "target": "a"} if cls is Example else {}
    with pytest.raises(InvalidJob, match=message):
        cls(**{**given, **fields})


def test_a_rejected_text_that_is_too_long_is_refused(pico):
    one = compared(DPO)
    long = replace(one.examples[0], rejected="because " * 2000)
    with pytest.raises(InvalidJob, match="number 1 of the job's 4 examples"):
        pico.train([replace(one, examples=(long, *one.examples[1:]))])
