"""Several answers are drawn, and rewards choose: what is asked, what is chosen, and who may say."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from ipse.backends.echo import EchoBackend
from ipse.engine import Ipse
from ipse.errors import InvalidPlan, Unknown
from ipse.evaluation.measure import measure
from ipse.evaluation.task import Item
from ipse.evaluation.tasks import open_task
from ipse.lm import Embed, Likelihood, Reply, Write
from ipse.methods import Chooser, Learned, Method, choose, finish, parse, personalize, write
from ipse.plan import Plan, Sampling
from ipse.records import Record, User
from ipse.rewards import ATTRIBUTES
from ipse.state import State
from tests.people import START, StandIn, echo, person

ASK = Plan.ask("What is in tea?", sampling=Sampling(max_tokens=4, seed=7))


def preference(n, chosen, rejected, **fields):
    return Record(user="ada", kind="preference", input=f"Question {n}?", output=chosen,
                  rejected=rejected, time=START.replace(hour=n), **fields)  # fmt: skip


SHORT = User(
    "ada", tuple(preference(n, f"Tea {n}.", f"Tea {n} is a drink, usually hot.") for n in range(6))
)


def learned(text, user, lm=None):
    return [Learned(m, finish(m.enroll(user, None), lm or StandIn(echo()))) for m in parse(text)]


def planned(text, user=None, plan=ASK):
    user = user or person()
    return personalize(plan, user, learned(text, user), StandIn(echo()))


def chosen(text, user, candidates, lm=None):
    lm = lm or StandIn(echo())
    known = learned(text, user, lm)
    reply = Reply(candidates[0], candidates=candidates)
    return choose([ASK], [reply], [Chooser(user, known)], lm)[0]


def test_it_draws_several_answers_at_a_temperature():
    plan = planned("best-of-n:n=4")
    assert plan == replace(
        ASK, candidates=4, sampling=replace(ASK.sampling, temperature=0.8), states=plan.states
    )
    warm = replace(ASK, sampling=replace(ASK.sampling, temperature=1.3))
    assert planned("best-of-n:n=4", plan=warm).sampling == warm.sampling


@pytest.mark.parametrize(("strength", "count"), [(1, 8), (0.5, 5), (0.25, 3), (0.05, 1), (0, 1)])
def test_less_strength_draws_fewer(strength, count):
    plan = planned("best-of-n:n=8,reward=length", plan=replace(ASK, strength=strength))
    assert plan.candidates == count
    if count == 1:
        assert plan == replace(ASK, strength=strength)


def test_the_first_candidate_is_what_the_model_would_have_answered(pico):
    plan = planned("best-of-n:n=3,reward=-length")
    (reply,) = pico.generate([plan])
    (alone,) = pico.generate([replace(plan, candidates=1)])
    assert reply.candidates[0] == reply.text == alone.text
    assert len(set(reply.candidates)) > 1


def test_one_attribute_chooses_by_its_sign():
    texts = ("Tea leaves and water.", "Leaves.", "Tea leaves, water, and more of both.")
    assert chosen("best-of-n:reward=-length", SHORT, texts).text == texts[1]
    assert chosen("best-of-n:reward=length", SHORT, texts).text == texts[2]
    rewards = chosen("best-of-n:reward=-length", SHORT, texts).rewards
    assert rewards == tuple(-ATTRIBUTES["length"]("", text) for text in texts)


def test_of_equals_the_first_is_chosen_and_an_empty_answer_last():
    assert chosen("best-of-n:reward=-length", SHORT, (" ", "Tea is hot.", "It is tea.")).text == (
        "Tea is hot."
    )
    assert chosen("best-of-n:reward=-length", SHORT, ("", " ")).text == ""


def test_why_the_chosen_one_ended_is_told():
    texts, known = ("Tea is a drink", "Tea."), learned("best-of-n:reward=-length", SHORT)
    reply = Reply(texts[0], "length", candidates=texts, finishes=("length", "stop"))
    (best,) = choose([ASK], [reply], [Chooser(SHORT, known)], StandIn(echo()))
    assert (best.text, best.finish, best.candidates) == ("Tea.", "stop", texts)


def test_attributes_are_weighed_by_the_persons_own_pairs():
    texts = ("Tea is a drink, and usually it is served hot.", "Tea.")
    assert chosen("best-of-n:reward=attributes", SHORT, texts).text == "Tea."
    swapped = [replace(r, output=r.rejected, rejected=r.output, id="") for r in SHORT.records]
    longer = User("ada", tuple(swapped))
    assert chosen("best-of-n:reward=attributes", longer, texts).text == texts[0]
    one, other = (learned("best-of-n:reward=attributes", u)[0].state for u in (SHORT, longer))
    assert one.lineage == tuple(r.id for r in SHORT.records)
    for name, weight in one.facts["weights"].items():
        assert other.facts["weights"][name] == pytest.approx(-weight)


def test_more_pairs_that_agree_are_surer():
    few = User("ada", SHORT.records[:2])
    one, more = (learned("best-of-n:reward=attributes", u)[0].state for u in (few, SHORT))
    assert one.facts["weights"]["length"] > more.facts["weights"]["length"]


def test_without_pairs_own_answers_stand_over_the_models():
    (method,) = parse("best-of-n:reward=attributes,tokens=9")
    steps = method.enroll(person(count=5), None)
    asked = next(steps)
    assert isinstance(asked, Write)
    assert {plan.sampling.max_tokens for plan in asked.plans} == {9}
    with pytest.raises(StopIteration) as ended:
        steps.send([Reply("The model says something else entirely.") for _ in asked.plans])
    state = ended.value.value
    assert len(state.lineage) == 1 + len(asked.plans)  # and the one pair that was told
    (plain,) = parse("best-of-n:reward=attributes")
    assert finish(plain.enroll(User("bob", person("bob").records[4:]), None), None) is None


def test_similarity_chooses_what_is_most_like_the_persons_own_words():
    user = person()
    own = user.records[-1].output
    reply = chosen("best-of-n", user, ("Seven xylophones hummed.", own, "Quite so"))
    assert reply.text == own
    assert all(-1 <= reward <= 1 for reward in reply.rewards)


class Knower(StandIn):
    """Finds every answer likelier, the more was read before it."""

    def score(self, plans, targets, on_progress=None):
        self.asked = list(zip(plans, targets, strict=True))
        return super().score(plans, targets, on_progress)


def test_likelihood_is_what_the_records_change_a_token(pico):
    user, texts = person(), ("plastic is bad", "tv and books")
    plan = planned("best-of-n:reward=likelihood,k=2")
    assert plan.evidence == tuple(r.id for r in user.latest(2))
    (method,) = parse("best-of-n:reward=likelihood,k=2")
    steps = method.rewards(plan, texts, user, None)
    asked = next(steps)
    assert isinstance(asked, Likelihood)
    scores = pico.score(asked.plans, asked.targets)
    with pytest.raises(StopIteration) as ended:
        steps.send(scores)
    knowing = planned("recent:k=2").main
    pairs = zip(pico.score([replace(ASK, main=knowing)] * 2, texts),
                pico.score([ASK] * 2, texts), strict=True)  # fmt: skip
    expected = [(plain.nats - known.nats) / known.tokens for known, plain in pairs]
    assert ended.value.value == pytest.approx(expected, abs=1e-4)


@dataclass(frozen=True)
class Vowels(Method):
    """A learned reward, such as another package may bring; by itself it changes no plan."""

    name: ClassVar[str] = "vowels"
    level: ClassVar[str] = "objective"

    def apply(self, plan, user, state):
        del user, state
        return plan

    def rewards(self, plan, texts, user, state):
        del plan, user
        return [state.facts["sign"] * sum(c in "aeiou" for c in text) for text in texts]


def test_a_reward_that_another_method_learned_can_choose_alone():
    texts = ("xyz", "aaa", "axa")
    known = [Learned(Vowels(), State(facts={"sign": 1.0}), "its-state"),
             *learned("best-of-n:reward=none", SHORT)]  # fmt: skip
    plan = personalize(ASK, SHORT, known, StandIn(echo()))
    assert (plan.candidates, plan.states) == (8, ("its-state",))
    (best,) = choose(
        [plan], [Reply("xyz", candidates=texts)], [Chooser(SHORT, known)], StandIn(echo())
    )
    assert (best.text, best.rewards) == ("aaa", (0, 3, 2))


def test_several_rewards_count_alike_whatever_their_units():
    known = [Learned(Vowels(), State(facts={"sign": 1e6})),
             *learned("best-of-n:reward=-length", SHORT)]  # fmt: skip
    texts = ("aaa bbb ccc ddd", "aa", "x")
    (best,) = choose([ASK], [Reply("", candidates=texts)], [Chooser(SHORT, known)], None)
    expected = sum((v - np.mean(v)) / np.std(v) for v in
                   (np.array([3.0, 2, 0]), -np.log1p([4.0, 1, 1])))  # fmt: skip
    assert best.rewards == pytest.approx(expected)
    assert best.text == "aa"


def test_a_wrong_number_of_rewards_is_refused():
    known = [Learned(Vowels(), State(facts={"sign": float("nan")}))]
    with pytest.raises(InvalidPlan, match="2 candidates need a finite reward each"):
        choose([ASK], [Reply("", candidates=("a", "b"))], [Chooser(SHORT, known)], None)


def test_an_unknown_reward_is_refused_with_the_known():
    with pytest.raises(Unknown, match=r"unknown reward 'lenght'.*'length'.*similarity"):
        planned("best-of-n:reward=lenght")


def test_nothing_is_asked_where_there_is_nothing_to_choose():
    known = learned("best-of-n", person())
    for reply in (Reply("a"), Reply("a", candidates=("a",))):
        assert choose([ASK], [reply], [Chooser(person(), known)], None) == [reply]
    many = Reply("a", candidates=("a", "b"))
    assert choose([ASK], [many], [Chooser(User("nobody"))], None) == [many]


def test_the_rewards_of_many_are_asked_in_one_batch_and_each_is_its_own():
    class Counting(StandIn):
        calls = 0

        def embed_counted(self, texts):
            self.calls += 1
            return echo().embed(texts)

    lm = Counting(echo())
    people = [person("ada"), person("bob", 6)]
    known = [learned("best-of-n", user) for user in people]
    replies = [Reply("x", candidates=("x", r.records[-1].output, "y")) for r in people]
    choosers = [Chooser(*each) for each in zip(people, known, strict=True)]
    lm.embed = lm.embed_counted
    together = choose([ASK] * 2, replies, choosers, lm)
    assert lm.calls == 1
    assert together == [
        choose([ASK], [reply], [chooser], lm)[0]
        for reply, chooser in zip(replies, choosers, strict=True)
    ]


class Fixed(EchoBackend):
    """Draws the same few answers every time."""

    texts = ("Tea is leaves and water.", "Leaves.", "Leaves, of a tree.")

    def generate(self, plans, on_progress=None):
        del on_progress
        return [
            Reply(self.texts[0], candidates=self.texts[: p.candidates] if p.candidates > 1 else ())
            for p in plans
        ]

    def stream(self, plan):
        del plan
        return iter(self.texts[0].split(" "))


def test_the_engine_answers_with_the_chosen_one_and_streams_it_whole(tmp_path):
    with Ipse(tmp_path / "a.db", Fixed(), "best-of-n:n=3,reward=-length") as me:
        me.add(SHORT.records)
        answer = me.ask("ada", "What is in tea?")
        assert (answer.text, answer.reply.candidates) == ("Leaves.", Fixed.texts)
        assert answer.reply.rewards[1] == max(answer.reply.rewards)
        assert list(me.stream("ada", "What is in tea?")) == ["Leaves."]
        assert me.ask("ada", "What is in tea?", strength=0.0).text == Fixed.texts[0]
        assert me.ask(None, "What is in tea?").text == Fixed.texts[0]
        assert "".join(me.stream(None, "?")) == Fixed.texts[0].replace(" ", "")
        assert me.ask("ada", "?", methods="best-of-n:n=2,reward=length").text == Fixed.texts[0]


def test_the_evaluation_measures_the_chosen_one():
    task = open_task("ukpconvarg-reason:items=1")
    known = learned("best-of-n:n=3,reward=-length", SHORT)
    plan = personalize(ASK, SHORT, known, StandIn(echo()))
    item = Item("1", "What is in tea?", "Leaves.")
    (found,) = measure("write", task, [item], [plan], Fixed(), choosers=[Chooser(SHORT, known)])
    assert found.output == "Leaves."
    assert json.loads(json.dumps(found.more))["candidates"] == list(Fixed.texts)
    assert measure("write", task, [item], [plan], Fixed())[0].output == Fixed.texts[0]


def test_a_second_number_of_candidates_is_refused():
    with pytest.raises(InvalidPlan, match="sets the candidates that an earlier method has set"):
        planned("best-of-n:n=4+best-of-n:n=3")


def test_a_batch_chooses_as_one_by_one(pico):
    plans = [planned("best-of-n:n=3,reward=-length", plan=replace(ASK, main=Plan.ask(q).main))
             for q in ("What is in tea?", "Why?")]  # fmt: skip
    chooser = Chooser(person(), learned("best-of-n:n=3,reward=-length", person()))
    together = write(plans, [chooser] * 2, pico)
    assert together == [write([plan], [chooser], pico)[0] for plan in plans]
    assert isinstance(next(parse("best-of-n")[0].enroll(person(), None)), Embed)
