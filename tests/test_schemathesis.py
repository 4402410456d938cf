"""Schemathesis over the whole OpenAPI document: no request that it thinks of makes the service break its word.

`make fuzz` sends 20,000 requests, and other ones each time.
"""

from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.depth import scaled
from tests.support.factories import Platform
from tests.web.test_examples import fill

PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.hypothesis
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_service_keeps_its_word(
    app: Flask, platform: Platform, mode: GenerationMode, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(platform)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    # An error of the document would have no `ok`.
    operations = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) > 40
    sent = 0
    for operation in operations:

        @settings(
            max_examples=scaled(12),
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def keeps_its_word(case: schemathesis.Case[Any]) -> None:
            nonlocal sent
            sent += 1
            # Its WSGI transport does not decompress.
            case.call_and_validate(checks=PROMISES, headers={"Accept-Encoding": "identity"})

        with suppress(Unsatisfiable):  # nothing can be wrong with a request that takes nothing
            keeps_its_word()
    with capsys.disabled():
        print(f"{sent} {mode.value} requests: no 500, and no answer against the document")
