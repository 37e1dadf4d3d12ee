"""What every backend promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.backends import BACKENDS, open_backend
from ipse.backends.carry import CARRIED, require
from ipse.errors import NotCarried, Unknown, UsageError
from ipse.lm import Piece
from ipse.plan import NEEDS, Adapter, Fusion, Plan, Sampling, Steering

PLANS = [
    Plan.ask("Why?", sampling=Sampling(max_tokens=12)),
    Plan.ask("Is it so?", system="You are brief.", sampling=Sampling(max_tokens=5, seed=3)),
    Plan.ask("Ünï 日本 🙂 \u2028 end", sampling=Sampling(max_tokens=20, temperature=1.0, seed=7)),
    Plan.ask("One two three", sampling=Sampling(max_tokens=9, temperature=0.7, top_p=0.9, seed=1)),
]
TARGETS = ["Because.", "It is, it is", "日本", "a"]

BEYOND = {
    "adapters": lambda s: replace(s, adapters=(Adapter("a"),)),
    "prefix": lambda s: replace(s, prefix="p"),
    "steering": lambda s: replace(s, steering=(Steering("v", 1),)),
    "models": lambda s: replace(s, model="other"),
}


def test_describes_itself(lm):
    assert lm.name in BACKENDS
    assert lm.base
    assert lm.embedder
    assert lm.carries <= CARRIED[lm.name]
    assert lm.carries <= set(NEEDS)


def test_generate_batch_is_one_by_one(lm):
    assert lm.generate(PLANS) == [lm.generate([plan])[0] for plan in PLANS]


def test_generate_nothing(lm):
    assert lm.generate([]) == []
    assert lm.embed([]).shape[0] == 0


def test_stream_is_generate(lm):
    for plan, reply in zip(PLANS, lm.generate(PLANS), strict=True):
        assert "".join(lm.stream(plan)) == reply.text


def test_a_stream_returns_why_it_ended(lm):
    ended = []

    def told(plan):
        ended.append((yield from lm.stream(plan)))

    for plan, reply in zip(PLANS, lm.generate(PLANS), strict=True):
        list(told(plan))
        assert (ended[-1].text, ended[-1].finish) == (reply.text, reply.finish)


def test_same_seed_same_text(lm):
    assert lm.generate(PLANS[:1] * 2 + PLANS[2:]) == lm.generate(PLANS[:1] * 2 + PLANS[2:])


def test_replies_count(lm):
    for reply in lm.generate(PLANS):
        assert reply.prompt_tokens > 0
        assert reply.tokens > 0
        assert reply.candidates[0] == reply.text


def test_candidates(lm):
    plan = replace(PLANS[2], candidates=3)
    several = lm.generate([plan])[0].candidates
    assert len(several) == 3
    seeds = [
        replace(plan, candidates=1, sampling=replace(plan.sampling, seed=7 + i)) for i in range(3)
    ]
    assert several == tuple(reply.text for reply in lm.generate(seeds))
    assert "".join(lm.stream(plan)) == several[0]


def test_stop_is_not_part_of_the_text(lm):
    whole = lm.generate(PLANS[:1])[0].text
    plan = replace(PLANS[0], sampling=replace(PLANS[0].sampling, stop=(whole[3:5], "never met")))
    reply = lm.generate([plan])[0]
    assert reply.text == whole[: whole.find(whole[3:5])]
    assert reply.finish == "stop"
    assert "".join(lm.stream(plan)) == reply.text


def test_score_batch_is_one_by_one(lm):
    if "score" not in lm.carries:
        pytest.skip("does not score")
    batch = lm.score(PLANS, TARGETS)
    single = [lm.score([p], [t])[0] for p, t in zip(PLANS, TARGETS, strict=True)]
    for a, b in zip(batch, single, strict=True):
        assert a.prompt_tokens == b.prompt_tokens
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)


def test_score_of_nothing(lm):
    if "score" not in lm.carries:
        pytest.skip("does not score")
    empty = lm.score(PLANS[:1], [""])[0]
    assert empty.logprobs == ()
    assert empty.prompt_tokens > 0
    assert lm.score([], []) == []


def test_cut_keeps_a_beginning(lm):
    text = "Ünï 日本 🙂 and so on, and so on"
    whole = lm.cut(text)
    assert whole.text == text
    assert lm.cut(text, whole.tokens) == whole == lm.cut(text, 999)
    assert lm.cut(text, 0) == Piece("", 0) == lm.cut("", 5)
    before = ""
    for limit in range(1, whole.tokens):
        piece = lm.cut(text, limit)
        assert text.startswith(piece.text)
        assert piece.text.startswith(before)
        assert piece.tokens <= limit
        before = piece.text


def test_progress_ends_whole(lm):
    seen: list[tuple[int, int]] = []
    lm.generate(PLANS, on_progress=lambda *now: seen.append(now))
    if "score" in lm.carries:
        lm.score(PLANS, TARGETS, on_progress=lambda *now: seen.append(now))
    assert seen[-1] == (len(PLANS), len(PLANS))
    assert all(0 < done <= total for done, total in seen)


@pytest.mark.model
def test_embed_real_units(embedded):
    check_units(embedded)


def test_embed_units(lm):
    if lm.name == "local":
        pytest.skip("marked model")
    check_units(lm)


def check_units(lm):
    found = lm.embed(["a cat", "a dog", "", "a cat"])
    assert found.dtype == np.float32
    assert found.shape[0] == 4
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[0], found[3], atol=1e-5)


@pytest.mark.parametrize("need", sorted(BEYOND))
def test_refuses_before_running(lm, need):
    plan = replace(PLANS[0], main=BEYOND[need](PLANS[0].main))
    if lm.name == "echo":
        assert need[:5] in lm.generate([plan])[0].text
        return
    if need in lm.carries:  # and so it looks for what the plan names
        with pytest.raises(UsageError):
            lm.generate([plan])
        return
    for verb in (lm.generate, lambda plans: lm.stream(plans[-1])):
        with pytest.raises(NotCarried, match=f"needs {need}.*{lm.name!r}"):
            verb([PLANS[0], plan])


def test_not_carried_names_who_does(hash_embedder):
    lm = open_backend("http", base_url="http://nowhere.invalid/v1", model="m", scores=False)
    with pytest.raises(NotCarried, match=r"fusion.*'http'.*carry it: local"):
        lm.generate([replace(PLANS[0], others=(PLANS[1].main,), fusion=Fusion("linear"))])
    with pytest.raises(NotCarried, match=r"score.*Another server or setting.*carry it: local"):
        lm.score(PLANS, TARGETS)
    with pytest.raises(NotCarried, match=r"embed.*carry it: local"):
        lm.embed(["a"])
    with pytest.raises(NotCarried, match=r"score, adapters.*carry it: local"):
        require(lm, [replace(PLANS[0], main=BEYOND["adapters"](PLANS[0].main))], "score")
    with pytest.raises(NotCarried, match="embed"):
        open_backend("echo").embed(["a"])


def test_unknown_backend_and_setting():
    with pytest.raises(Unknown, match=r"unknown backend 'lokal'. Did you mean 'local'.*echo, http"):
        open_backend("lokal")
    with pytest.raises(Unknown, match=r"unknown setting of backend 'echo' 'model'.*embedder"):
        open_backend("echo", model="x")
