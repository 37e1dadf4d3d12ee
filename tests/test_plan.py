from __future__ import annotations

import json
import math

import pytest

from ipse.errors import InvalidPlan
from ipse.lm import Score
from ipse.plan import Adapter, Fusion, Message, Plan, Sampling, Steering, Stream

FULL = Plan(
    main=Stream(
        (Message("system", "s"), Message("user", "q")),
        model="m",
        prefix="p",
        adapters=(Adapter("a", 0.5), Adapter("a", own="b")),
        steering=(Steering("v", 3, 2.0),),
    ),
    others=(Stream((Message("user", "q"),)),),
    fusion=Fusion("power", (0.5, 0.5), (("exponent", -1.0),)),
    sampling=Sampling(max_tokens=5, temperature=0.7, top_p=0.9, seed=4, stop=("\n",)),
    candidates=2,
    evidence=("r1",),
    states=("s1",),
    strength=0.5,
    generic=Stream((Message("user", "g"),)),
)


@pytest.mark.parametrize("plan", [FULL, Plan.ask("Why?"), Plan.ask("Why?", system="Be brief.")])
def test_a_plan_survives_json(plan):
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_says_what_it_needs():
    assert FULL.needs == {"fusion", "candidates", "models", "prefix", "adapters", "steering"}
    assert Plan.ask("Why?").needs == frozenset()


def test_a_fusion_reads_well_and_can_be_a_key():
    assert str(FULL.fusion) == "power(0.5, 0.5; exponent=-1)"
    assert str(Fusion("linear")) == "linear()"
    assert {FULL.fusion: 1}[Fusion("power", (0.5, 0.5), (("exponent", -1.0),))] == 1


def test_context_goes_to_the_end_of_the_system_message():
    plan = Plan.ask("Why?", system="Be brief.").with_context("Ada likes tea.", ("r1",))
    plan = plan.with_context("Ada lives in Paris.", ("r2", "r1"))
    assert plan.main.messages == (
        Message("system", "Be brief.\n\nAda likes tea.\n\nAda lives in Paris."),
        Message("user", "Why?"),
    )
    assert plan.evidence == ("r1", "r2")


def test_turns_go_between_system_message_and_conversation():
    plan = Plan.ask("Why?", system="Be brief.").with_turns([("How?", "So.")], ("r1",))
    assert [message.content for message in plan.main.messages] == [
        "Be brief.",
        "How?",
        "So.",
        "Why?",
    ]
    assert Plan.ask("Why?").with_turns([]).main == Plan.ask("Why?").main


def test_the_question_is_the_latest_user_message():
    stream = Stream((Message("user", "a"), Message("assistant", "b"), Message("user", "c")))
    assert stream.question == "c"
    assert stream.with_question("d").messages[-1] == Message("user", "d")
    with pytest.raises(InvalidPlan, match="no user message"):
        Stream((Message("system", "s"),)).with_question("d")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Message("robot", "x"), "unknown role 'robot'"),
        (lambda: Message("user", "\udcff"), "not valid Unicode"),
        (lambda: Sampling(max_tokens=0), "max_tokens must be at least 1; got 0"),
        (lambda: Sampling(temperature=math.nan), "temperature"),
        (lambda: Sampling(top_p=0), "top_p"),
        (lambda: Plan(FULL.main, strength=1.5), "strength must be between 0 and 1; got 1.5"),
        (lambda: Plan(FULL.main, candidates=0), "candidates"),
        (lambda: Plan(FULL.main, others=(FULL.main,)), "2 streams need a fusion"),
        (lambda: Plan(FULL.main, fusion=Fusion("linear", (1.0, 2.0))), "one weight a stream"),
        (lambda: Fusion("linear", (math.nan,)), r"must be finite; got linear\(nan\)"),
        (lambda: Fusion("power", (1.0,), (("exponent", math.inf),)), "must be finite"),
        (lambda: Plan.from_json({"mian": 1}), "not a plan"),
        (
            lambda: Plan.from_json(FULL.to_json() | {"fusion": {"kind": "x", "settings": [1]}}),
            "not a plan",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(make, said):
    with pytest.raises(InvalidPlan, match=said):
        make()


def test_a_score_sums_in_nats():
    score = Score((-1.0, -0.5), prompt_tokens=7)
    assert score.nats == pytest.approx(1.5)
    assert score.tokens == 2
