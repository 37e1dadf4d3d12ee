"""Methods that fuse two readings of a request: with what is known of the person, and without."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from ipse.errors import InvalidPlan
from ipse.lm import Likelihood, Score
from ipse.methods import Learned, finish, parse, personalize
from ipse.plan import Adapter, Fusion, Message, Plan, Sampling
from ipse.records import User
from ipse.state import State
from tests.people import StandIn, echo, person, reason
from tests.pico import save_pico

QUESTION = Plan.ask("Which argument about plastic bottles is better? Say why.", system="Be brief.")
TWO = ("context-steering", "linear-alignment", "amulet", "costeer", "reward-guided")
EVERY = pytest.mark.parametrize("name", TWO)


def applied(text, user=None, plan=QUESTION, states=None):
    methods = parse(text)
    learned = [Learned(method, (states or {}).get(method.name)) for method in methods]
    return personalize(plan, user or person(), learned, StandIn(echo()))


@EVERY
def test_alone_it_reads_the_latest_records_beside_the_generic_plan(name):
    plan = applied(name)
    k = parse(name)[0].k
    assert plan.evidence == tuple(record.id for record in person().latest(k))
    assert plan.others == (QUESTION.main,)
    assert plan.main == applied(f"recent:k={k}").main
    assert plan.needs == {"fusion"}


@EVERY
def test_after_another_method_it_contrasts_what_that_one_reads(name):
    for before in ("random:k=2", "recent:k=2"):
        plan = applied(f"{before}+{name}")
        assert plan.main == applied(before).main
        assert plan.others == (QUESTION.main,)
        assert plan.evidence == applied(before).evidence


@EVERY
def test_the_order_they_are_written_in_does_not_matter(name):
    assert applied(f"{name}+recent:k=2") == applied(f"recent:k=2+{name}")


@EVERY
def test_the_conversation_so_far_is_in_both_readings(name):
    turns = (Message("user", "Hi"), Message("assistant", "Yes?"), *QUESTION.main.messages[1:])
    plan = replace(QUESTION, main=replace(QUESTION.main, messages=turns))
    found = applied(name, plan=plan)
    assert found.others == (plan.main,)
    assert found.main.messages[-3:] == turns


@EVERY
def test_what_is_attached_counts_as_known_of_the_person(name):
    (method,) = parse(name)
    main = replace(QUESTION.main, adapters=(Adapter("a"),))
    plan = replace(QUESTION, main=main, generic=QUESTION.main)
    found = method.apply(plan, person(), None)
    assert (found.main, found.others, found.evidence) == (main, (QUESTION.main,), ())


@EVERY
def test_a_second_fusion_is_refused(name):
    with pytest.raises(InvalidPlan, match="sets the fusion that an earlier method has set"):
        applied(f"{name}+amulet:steps=3")


@EVERY
def test_at_strength_0_only_the_generic_stream_is_read(name, pico):
    short = replace(QUESTION, sampling=Sampling(max_tokens=8))
    (method,) = parse(name)
    plan = method.apply(replace(short, strength=0.0), person(), None)
    assert plan.others
    assert pico.generate([plan])[0] == pico.generate([short])[0]
    (zero,), (base,) = (pico.score([p], ["plastic is bad"]) for p in (plan, short))
    assert zero == base


@EVERY
def test_strength_moves_along_a_line_from_the_generic_model(name, pico):
    target = ["plastic is bad"]
    last = pico.score([applied(name)], target)[0]
    near = pico.score([applied(name, plan=replace(QUESTION, strength=1 - 1e-6))], target)[0]
    far = pico.score([applied(name, plan=replace(QUESTION, strength=1e-6))], target)[0]
    base = pico.score([QUESTION], target)[0]
    assert near.logprobs == pytest.approx(last.logprobs, abs=1e-3)
    assert far.logprobs == pytest.approx(base.logprobs, abs=1e-3)


def test_context_steering_is_the_papers_mixture(pico):
    plan = applied("context-steering:influence=1.5,k=3")
    mixed = replace(plan, fusion=Fusion("linear", (2.5, -1.5)))
    found, expected = pico.score([plan, mixed], ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_without_influence_the_context_is_just_read(pico):
    plans = [applied("context-steering:influence=0"), applied("recent")]
    found, expected = pico.score(plans, ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_linear_alignment_is_context_steering_with_an_influence_of_2():
    assert applied("linear-alignment").fusion == Fusion("contrast", (3.0, 1.0))


def test_amulet_without_steps_reads_the_preference(pico):
    plans = [applied("amulet:steps=0"), applied("recent")]
    found, expected = pico.score(plans, ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_a_learning_rate_of_nothing_is_refused(pico):
    with pytest.raises(InvalidPlan, match=r"rate of ftrl.* must be above 0"):
        pico.generate([applied("amulet:rate=0")])


def test_costeer_reads_with_a_small_model_and_answers_with_the_large_one():
    plan = applied("costeer:small=tiny")
    known = applied("recent:k=5").main
    assert plan.main == replace(known, model="tiny")
    assert plan.others == (replace(QUESTION.main, model="tiny"), QUESTION.main)
    assert plan.fusion.weights == (1.0, -1.0, 1.0)
    assert plan.needs == {"fusion", "models"}
    assert applied("costeer:small=tiny", plan=replace(QUESTION, strength=0.5)).fusion.weights == (
        0.5,
        -0.5,
        1.0,
    )


def test_costeer_with_one_model_says_what_it_says_with_that_model_twice(pico):
    both = applied("costeer")
    three = replace(
        both,
        others=(QUESTION.main, QUESTION.main),
        fusion=replace(both.fusion, weights=(1.0, -1.0, 1.0)),
    )
    found, expected = pico.score([both, three], ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def slow_costeer(large, small, personal, generic, written):
    """The next token's distribution as the paper writes it, everything recomputed."""

    def logprobs(model, stream):
        ids = model.prompt(stream.messages) + written
        with torch.no_grad():
            return torch.log_softmax(model.network(torch.tensor([ids])).logits[0, -1], -1)

    d = logprobs(small, personal) - logprobs(small, generic)
    gone, total = torch.zeros_like(d), torch.zeros_like(d)
    for step in range(1, 6):
        total = total + 1.5 * gone + 0.8 * d
        gone = (total + gone / 10) / (step * 2 + 1 / 10)
    return torch.log_softmax(logprobs(large, generic) + gone, -1)


def test_costeer_with_a_smaller_model_is_the_papers_fusion_of_both(pico, tmp_path):
    path = save_pico(tmp_path / "small", seed=3, hidden=16, layers=1)
    plan = applied(f"costeer:small={path},alpha=1.5,beta=0.8,pull=2,rate=10,steps=5")
    large, small = pico._language_model(), pico._place(str(path)).model
    assert small.core.hidden < large.core.hidden
    streams = large, small, replace(plan.main, model=None), QUESTION.main
    written = []
    while len(written) < 12 and not large.ends & set(written):
        written.append(int(slow_costeer(*streams, written).argmax()))
    text = large.tokenizer.decode(written, skip_special_tokens=True)
    short = replace(plan, sampling=Sampling(max_tokens=12))
    (reply,) = pico.generate([short])
    assert reply.text == text != pico.generate([replace(QUESTION, sampling=short.sampling)])[0].text
    assert "".join(pico.stream(short)) == text
    ids = large.tokens("plastic is bad")
    expected = [slow_costeer(*streams, ids[:n])[token].item() for n, token in enumerate(ids)]
    (score,) = pico.score([plan], ["plastic is bad"])
    assert score.logprobs == pytest.approx(expected, abs=1e-4)
    (zero,), (base,) = (
        pico.score([each], ["plastic is bad"])
        for each in (
            applied(f"costeer:small={path}", plan=replace(QUESTION, strength=0.0)),
            QUESTION,
        )
    )
    assert zero.logprobs == base.logprobs


def test_costeer_with_a_model_of_other_tokens_is_refused(pico, tmp_path):
    path = save_pico(tmp_path / "other", seed=3)
    file = path / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    words = tokenizer["model"]["vocab"]
    words["!"], words["?"] = words["?"], words["!"]
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(InvalidPlan, match="has another tokenizer than"):
        pico.generate([applied(f"costeer:small={path}")])


# A person's own influence.


class Judge:
    """Finds answers likelier the nearer the weight of their plan is to one number."""

    def __init__(self, best, sure=4.0):
        self.best, self.sure = best, sure
        self.asked = []

    def score(self, plans, targets, on_progress=None):
        del on_progress
        self.asked += zip(plans, targets, strict=True)
        off = [abs(plan.fusion.weights[0] - self.best) for plan in plans]
        return [Score((-self.sure * each,)) for each in off]


@pytest.mark.parametrize("best", [0.5, 1.5, 3.0])
def test_ones_own_influence_is_where_ones_answers_are_likeliest(best):
    (method,) = parse("context-steering:learn=6,spread=2")
    judge = Judge(best)
    state = finish(method.enroll(person(), None), judge)
    assert state.facts["weight"] == pytest.approx(best, abs=0.1)
    assert sum(state.facts["posterior"]) == pytest.approx(1)
    assert applied(
        "context-steering:learn=6,spread=2", states={"context-steering": state}
    ).fusion.weights == (state.facts["weight"], 1.0)


def test_little_evidence_leaves_the_influence_near_what_it_is_for_all():
    (method,) = parse("context-steering:learn=6,influence=0.5,spread=0.2")
    state = finish(method.enroll(person(), None), Judge(3.0, sure=0.01))
    assert state.facts["weight"] == pytest.approx(1.5, abs=0.02)


def test_every_answer_is_judged_from_what_was_known_before_it():
    (method,) = parse("context-steering:learn=4,k=3")
    judge = Judge(1.0)
    user = person()
    state = finish(method.enroll(user, None), judge)
    assert len({target for _, target in judge.asked}) == 4
    for plan, target in judge.asked:
        answer = next(record for record in user.records if record.output == target)
        assert plan.evidence == tuple(r.id for r in user.before(answer.time).latest(3))
        assert set(plan.evidence) | {answer.id} <= set(state.lineage)


def test_nobody_with_one_answer_has_an_influence_of_their_own():
    (method,) = parse("context-steering:learn=4")
    assert method.enroll(User("ada", (reason("ada", 1),)), None) is None
    assert parse("context-steering")[0].enroll(person(), None) is None


def test_an_influence_is_kept_until_enough_has_changed():
    (method,) = parse("context-steering:learn=4,refresh=3")
    state = State(facts={"weight": 2.0, "records": 16})
    assert method.update(person(), state, None) is state
    asked = next(method.update(person(count=15), state, None))
    assert isinstance(asked, Likelihood)


def test_reward_guided_without_a_screen_is_context_steering(pico):
    plans = [applied("reward-guided:top=0,weight=1.5"), applied("context-steering:influence=0.5")]
    found, expected = pico.score(plans, ["plastic is bad"] * 2)
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_reward_guided_answers_as_pad_does(pico):
    """At every token, the best of the generic model's likeliest three, by score; by hand."""
    plan = replace(applied("reward-guided:top=3,weight=2"), sampling=Sampling(max_tokens=10))
    model = pico._language_model()
    written = []

    def logprobs(stream):
        ids = model.prompt(stream.messages) + written
        with torch.no_grad():
            return torch.log_softmax(model.network(torch.tensor([ids])).logits[0, -1], -1)

    while len(written) < 10 and not model.ends & set(written):
        known, plain = logprobs(plan.main), logprobs(QUESTION.main)
        score = plain + 2 * (known - plain)
        written.append(max(plain.topk(3).indices.tolist(), key=lambda token: score[token].item()))
    text = model.tokenizer.decode(written, skip_special_tokens=True)
    assert pico.generate([plan])[0].text == text
    assert all(nats > -100 for nats in pico.score([plan], ["plastic is bad"])[0].logprobs)


def test_reward_guided_by_a_smaller_model_answers_with_the_large_one():
    plan = applied("reward-guided:small=tiny", plan=replace(QUESTION, strength=0.5))
    assert plan.main.model == plan.others[0].model == "tiny"
    assert plan.others[1] == QUESTION.main
    assert plan.fusion.weights == (0.4, -0.4, 1.0)
