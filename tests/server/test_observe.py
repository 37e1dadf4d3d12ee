from __future__ import annotations

import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from ipse.server import create_app
from tests.server.conftest import LOCAL

SECRET = "quokkas at dawn"
CHAT = {"model": "ipse", "messages": [{"role": "user", "content": SECRET}], "user": "ada"}


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


def test_a_server_is_ready_once_its_model_is(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    client.app.state.served.ready.clear()
    assert client.get("/readyz").status_code == 503
