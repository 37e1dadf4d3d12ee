from __future__ import annotations

import json
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from ipse import Ipse
from ipse.backends.local import LocalBackend
from ipse.plan import Plan, Sampling
from ipse.server import create_app
from tests.people import person
from tests.server.conftest import LOCAL

SECRET = "quokkas at dawn"
JOBS = ("queued", "running")
TOKENS = 'ipse_cache_tokens_total{{kind="{}"}}'
CHAT = {"model": "ipse", "messages": [{"role": "user", "content": SECRET}], "user": "ada"}


def numbers(client):
    """All that `/metrics` gives, by name."""
    lines = client.get("/metrics").text.splitlines()
    return {n: float(v) for n, v in (x.rsplit(" ", 1) for x in lines if not x.startswith("#"))}


def eventually(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def spans(monkeypatch):
    """The spans that end, as they are told."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def test_numbers_logs_and_spans_hold_nothing_of_anybody(engine, served_as, spans, caplog):
    app = create_app(engine, served_as)
    with caplog.at_level("INFO", "ipse.server"), TestClient(app, base_url=LOCAL) as client:
        for stream in (False, True):
            assert client.post("/v1/chat/completions", json={**CHAT, "stream": stream}).is_success
        client.get("/v1/models/ada")
        client.get("/ada/quokkas")
        numbers = client.get("/metrics").text
    told = [json.loads(span.to_json()) for span in spans.get_finished_spans()]
    for text in (numbers, caplog.text, json.dumps(told)):
        assert "quokkas" not in text
        assert "ada" not in text.replace("metadata", "")
    route = 'route="/v1/chat/completions"'
    assert f'ipse_requests_total{{method="POST",{route},status="200"}} 2.0' in numbers
    assert "ipse_first_token_seconds_count 1.0" in numbers
    assert "ipse_token_seconds_count 2.0" in numbers
    assert "ipse_answers_under_way 0.0" in numbers
    assert 'route="/v1/models/{model}"' in numbers.replace(":path", "")
    assert 'route="other"' in numbers
    for span in told:
        assert span["name"] == "chat ipse"
        assert span["attributes"]["gen_ai.operation.name"] == "chat"
        assert span["attributes"]["gen_ai.usage.output_tokens"] > 0


def test_numbers_tell_what_waits_runs_and_was_read_before(pico_path, tmp_path, served_as):
    with Ipse(tmp_path / "ipse.db", LocalBackend(str(pico_path)), methods="recent:k=1") as engine:
        engine.add(person("ada").records)
        app = create_app(engine, served_as)
        with TestClient(app, base_url=LOCAL) as client:
            before, brief = numbers(client), {**CHAT, "max_tokens": 2}
            for _ in range(2):
                assert client.post("/v1/chat/completions", json=brief).is_success
            client.post("/v1/users/ada/enroll", json={"methods": "facets"})
            assert eventually(lambda: numbers(client).get('ipse_jobs_ended_total{status="done"}'))
            after = numbers(client)
    for name in ("ipse_queue", "ipse_batch_rows", *(f'ipse_jobs{{status="{s}"}}' for s in JOBS)):
        assert after[name] == 0.0
    hit, miss = (after[n] - before[n] for n in map(TOKENS.format, ("hit", "miss")))
    assert hit == miss - 2 > 0  # the second time, all but the last token


def test_an_answer_that_waits_is_counted(pico_path, tmp_path, served_as):
    with Ipse(tmp_path / "ipse.db", LocalBackend(str(pico_path)), methods="generic") as engine:
        app = create_app(engine, served_as)
        numbers = app.state.served.observed.registry.get_sample_value
        stream = engine.lm.stream(Plan.ask("Why?", sampling=Sampling(max_tokens=200)))
        next(stream)
        assert numbers("ipse_batch_rows") == 1.0
        stream.close()
        assert eventually(lambda: numbers("ipse_batch_rows") == 0.0)


def test_a_backend_that_does_not_know_is_silent(client):
    told = numbers(client)
    assert 'ipse_jobs{status="queued"}' in told
    assert "ipse_queue" not in told


def test_a_server_is_ready_once_its_model_is(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    client.app.state.served.ready.clear()
    assert client.get("/readyz").status_code == 503
