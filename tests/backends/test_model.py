"""The real embedded model and embedder."""

from __future__ import annotations

import numpy as np
import pytest

from ipse.backends.local.embedder import embedder_folder
from ipse.backends.local.weights import embedded_gguf, quiet
from ipse.plan import Plan, Sampling
from tests.backends.test_local_decode import slow_generate
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


def test_context_and_identity(embedded):
    assert embedded._language_model().context == 8192
    assert embedded.base.startswith("SmolLM2-135M-Instruct@")
    assert embedded.embedder.startswith("all-MiniLM-L6-v2@")
    assert embedded_gguf().is_file()
