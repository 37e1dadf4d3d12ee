"""Schemathesis over the OpenAPI document: no 5xx, and answers are what the document says."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from ipse.server import create_app
from tests.server.conftest import bearer

EXAMPLES = 3
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


def test_no_request_breaks_the_server(engine, served_as):
    key, _ = engine.store.keys.create()
    document = schemathesis.openapi.from_asgi("/openapi.json", create_app(engine, served_as))
    operations = [result.ok() for result in document.get_all_operations()]
    assert len(operations) >= 8
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            case.call_and_validate(headers=bearer(key), checks=CHECKS)

        check()
