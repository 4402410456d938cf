"""JSON by orjson, which is many times faster than the standard library and writes UTF-8."""

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider as BaseProvider


class JSONProvider(BaseProvider):
    """Dumps and loads JSON with orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        body = orjson.dumps(self._prepare_response_obj(args, kwargs))
        return Response(body, mimetype="application/json")
