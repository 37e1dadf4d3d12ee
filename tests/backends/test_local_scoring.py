"""Scoring on the local backend, against a slow and obvious oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ipse.backends.local import reading, scoring, sharing
from ipse.backends.local.sharing import Row, batches, groups
from ipse.errors import InvalidPlan
from ipse.plan import Fusion, Plan, Steering


def slow_score(model, plan: Plan, target: str) -> list[float]:
    """One stream, one forward pass, all logits."""
    ids = model.tokens(target)
    weights = plan.fusion.weights if plan.fusion else (1.0,)
    mixed = torch.zeros(len(ids), len(model.tokenizer))
    for stream, weight in zip(plan.streams, weights, strict=True):
        prompt = model.prompt(stream.messages)
        logits = model.network(torch.tensor([prompt + ids])).logits[0]
        mixed += weight * torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
    return torch.log_softmax(mixed, -1)[range(len(ids)), ids].tolist()


def people() -> tuple[list[Plan], list[str]]:
    """Three people with records of their own, five questions each; some plans fuse two streams."""
    plans, targets = [], []
    for person in ("likes water", "is a teacher in a school", "writes of freedom and plastic"):
        for i in range(5):
            plan = Plan.ask(f"Question {i}" * (i + 1), system=f"This person {person}. " * 8)
            if i == 3:
                bare = Plan.ask("Question 3").main
                plan = replace(plan, others=(bare,), fusion=Fusion("linear", (1.4, -0.4)))
            plans.append(plan)
            targets.append(f"Because {person} " * (i + 1))
    return [*plans, Plan.ask("Why?")], [*targets, "x"]


@pytest.fixture(scope="module")
def model(pico):
    return pico._language_model()


def test_scores_are_the_slow_scores(pico, model):
    plans, targets = people()
    for plan, target, score in zip(plans, targets, pico.score(plans, targets), strict=True):
        np.testing.assert_allclose(score.logprobs, slow_score(model, plan, target), atol=1e-4)
        assert score.prompt_tokens == sum(len(model.prompt(s.messages)) for s in plan.streams)
        assert score.nats > 0


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [(scoring, "_WINDOW", 3), (reading, "_READ", 1), (scoring, "_HEAD", 1)],
)
def test_batching_does_not_matter(pico, monkeypatch, module, name, value):
    plans, targets = people()
    whole = pico.score(plans, targets)
    monkeypatch.setattr(module, name, value)
    same_scores(pico.score(plans, targets), whole)


def test_sharing_does_not_matter(pico, monkeypatch):
    plans, targets = people()
    whole = pico.score(plans, targets)
    monkeypatch.setattr(sharing, "_WORTH", 10**9)
    same_scores(pico.score(plans, targets), whole)


def same_scores(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)


def test_sharing_reads_less(pico, model, monkeypatch):
    plans, targets = people()
    read: list[int] = []
    whole = type(model).read
    monkeypatch.setattr(
        type(model),
        "read",
        lambda self, chunks: (
            read.extend(chunk.span.length for chunk in chunks) or whole(self, chunks)
        ),
    )
    pico.score(plans, targets)
    shared = sum(read)
    read.clear()
    monkeypatch.setattr(sharing, "_WORTH", 10**9)
    pico.score(plans, targets)
    assert shared < 0.7 * sum(read)


def test_what_is_steered_only_from_the_prompts_end_on_shares_the_prompt(pico, model, monkeypatch):
    size = model.core.hidden
    name = pico.hold({"vector": np.linspace(-1, 1, size, dtype=np.float32)})
    plain = Plan.ask("Why is a long question better than a short one? " * 4)
    ways = [Steering(name, layer, s, start=-1) for layer in (0, 1) for s in (1.0, -2.0)]
    plans = [replace(plain, main=replace(plain.main, steering=(way,))) for way in ways]
    plans += [plain, replace(plain, main=replace(plain.main, steering=(Steering(name, 0, 1.0),)))]
    alone = [pico.score([plan], ["Because."])[0] for plan in plans]
    assert len({round(score.nats, 3) for score in alone}) == len(plans)
    read: list[int] = []
    whole = type(model).read
    monkeypatch.setattr(
        type(model),
        "read",
        lambda self, chunks: read.extend(c.span.length for c in chunks) or whole(self, chunks),
    )
    same_scores(pico.score(plans, ["Because."] * len(plans)), alone)
    prompt = len(model.prompt(plain.main.messages))
    assert 2 * prompt < sum(read) < 3 * prompt  # once for the first five, once for the last


def test_zero_weight_is_the_generic_model(pico):
    plan = Plan.ask("Why?")
    personal = Plan.ask("Why?", system="Someone").main
    zero = replace(plan, others=(personal,), fusion=Fusion("linear", (1.0, 0.0)))
    assert pico.score([zero], ["Because"]) == pico.score([plan], ["Because"])


def test_too_long_to_score(pico):
    with pytest.raises(InvalidPlan, match=r"\d+ tokens and \d+ must follow.*holds 1024"):
        pico.score([Plan.ask("a")], ["word " * 2000])


def test_one_target_a_plan(pico):
    with pytest.raises(ValueError, match="zip"):
        pico.score([Plan.ask("a")], ["a", "b"])


rows = st.lists(
    st.builds(
        lambda ids, start: Row(tuple(ids), min(start, len(ids) - 1)),
        st.lists(st.integers(0, 1), min_size=2, max_size=40),
        st.integers(1, 39),
    ),
    max_size=12,
)


@given(rows)
def test_groups_hold_every_row_once_and_share_what_they_say(found):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "_WORTH", 5)
        split = groups(found)
    assert sorted(i for group in split for i in group.rows) == list(range(len(found)))
    for group in split:
        beginnings = {found[i].ids[: group.shared] for i in group.rows}
        assert len(beginnings) == 1
        assert all(group.shared < found[i].start for i in group.rows)


def test_groups_choose_what_saves_most():
    header = [9] * 30
    long = {name: [*header, *[name] * 300] for name in (1, 2)}
    made = [Row((*long[name], i, i, 0), 332) for i in range(3, 8) for name in (1, 2)]
    split = {group.rows: group.shared for group in groups(made)}
    assert sorted(split.values()) == [330, 330]
    few = [Row((*header, i, i, i), 32) for i in range(10)]
    assert [(len(g.rows), g.shared) for g in groups(few)] == [(10, 30)]
    assert [g.shared for g in groups(few[:2])] == [0]


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 100), st.integers(1, 9))
def test_batches_keep_to_their_budget(lengths, budget, most):
    found = list(batches(lengths, budget, most))
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) <= most
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget
