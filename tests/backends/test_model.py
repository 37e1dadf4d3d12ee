"""The real embedded model and embedder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.backends.local.embedder import embedder_folder
from ipse.backends.local.weights import EMBEDDED, embedded_gguf, model_folder, quiet
from ipse.plan import Adapter, Fusion, Plan, Sampling, Steering
from tests.backends.attachments import lora
from tests.backends.test_local_decode import slow_generate
from tests.backends.test_local_identities import check_lora
from tests.backends.test_local_scoring import slow_score

pytestmark = pytest.mark.model

TEXTS = [
    "A cat sat on the mat.",
    "",
    "Why is this argument more convincing?",
    "word " * 400,
    "日本",
]


def test_embeds_as_sentence_transformers_does(embedded):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    with quiet():
        theirs = sentence_transformers.SentenceTransformer(str(embedder_folder()), device="cpu")
    theirs.max_seq_length = 256
    found = embedded.embed(TEXTS)
    assert found.shape == (len(TEXTS), 384)
    expected = theirs.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_answers(embedded):
    plan = Plan.ask("What is the capital of France?", sampling=Sampling(max_tokens=20))
    reply = embedded.generate([plan])[0]
    assert "Paris" in reply.text
    assert reply.finish == "stop"
    model = embedded._language_model()
    assert reply.text == model.tokenizer.decode(slow_generate(model, plan))


def test_scores(embedded):
    plans = [Plan.ask(f"Is {x} good?", system="Be brief. " * 20) for x in ("tea", "cake", "rain")]
    targets = ["Yes, it is.", "No.", "It depends on the day."]
    model = embedded._language_model()
    for plan, target, score in zip(plans, targets, embedded.score(plans, targets), strict=True):
        np.testing.assert_allclose(score.logprobs, slow_score(model, plan, target), atol=1e-3)
    likely, unlikely = embedded.score(plans[:1] * 2, ["Yes, it is.", "Xylophone qua zebra"])
    assert likely.nats < unlikely.nats


def test_everybody_in_one_batch(embedded):
    """The identities of `test_local_identities`, on the real model."""
    core = embedded._language_model().core
    names = {n: embedded.hold(lora(core, n, n, ("q_proj", "v_proj"), 0.15)) for n in (2, 3, 4)}
    vector = np.random.default_rng(0).standard_normal(core.hidden).astype(np.float32)
    way, short = embedded.hold({"vector": vector}), Sampling(max_tokens=12)
    base = Plan.ask("Name a good breakfast.", system="You cook for one person.", sampling=short)
    plans = [base]
    for rank, name in names.items():
        main = replace(base.main, adapters=(Adapter(name, 0.5 + 0.2 * rank),))
        plans.append(replace(base, main=main))
    plans.append(replace(base, main=replace(base.main, steering=(Steering(way, 12, 4.0),))))
    two = Fusion("linear", (1.5, -0.5))
    plans.append(replace(base, others=(Plan.ask("Name a good breakfast.").main,), fusion=two))
    alone = [embedded.generate([plan])[0] for plan in plans]
    assert embedded.generate(plans) == alone  # now from cached beginnings, too
    assert len({reply.text for reply in alone}) > 3
    for plan, reply in zip(plans, alone, strict=True):
        assert "".join(embedded.stream(plan)) == reply.text
    twice = replace(base, others=(base.main,), fusion=two)
    gone = (Adapter(names[2]), Adapter(names[2], -1.0))
    cancelled = replace(base, main=replace(base.main, adapters=gone))
    texts = [reply.text for reply in embedded.generate([twice, cancelled, *plans[1:]])]
    assert texts[:2] == [alone[0].text] * 2


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_lora_is_pefts(embedded):
    check_lora(embedded, model_folder(EMBEDDED), 8, ("q_proj", "k_proj", "v_proj", "o_proj"), 0.05)


def test_context_and_identity(embedded):
    assert embedded._language_model().context == 8192
    assert embedded.base.startswith("SmolLM2-135M-Instruct@")
    assert embedded.embedder.startswith("all-MiniLM-L6-v2@")
    assert embedded_gguf().is_file()
