"""The document of an error."""

from flask_marshmallow import Schema
from marshmallow import fields


class BadParameterSchema(Schema):
    """One thing wrong with a request."""

    parameter = fields.String(required=True)
    detail = fields.String(required=True, metadata={"description": "What was given and what is allowed."})


class ProblemSchema(Schema):
    """An RFC 9457 problem."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    error = fields.String(required=True, metadata={"description": "The same text as `detail`."})
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(BadParameterSchema), metadata={"description": "Where parameters are wrong."})


WRONG_PARAMETERS = {400: (ProblemSchema, "A parameter is wrong.")}
NOT_FOUND = {404: (ProblemSchema, "There is no such thing.")}
FORBIDDEN = {403: (ProblemSchema, "The secret is wrong or missing, or none is configured.")}
BAD_SIGNATURE = {403: (ProblemSchema, "The signature is wrong or has expired, or no `CARD_SIGNING_KEY` is set.")}
CACHE_UNAVAILABLE = {503: (ProblemSchema, "The shared cache cannot be reached.")}
UNAVAILABLE = {503: (ProblemSchema, "The database cannot answer now.")}
