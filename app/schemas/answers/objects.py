"""The schema of what is an object: all that the measures give."""

from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any

from flask_marshmallow import Schema
from marshmallow import fields

# Fields that give what they are given.
PLAIN = (fields.String, fields.Integer, fields.Boolean)


class ObjectSchema(Schema):
    """A schema of attributes of objects, or of what paths of attributes lead to; what is not there is left out.

    marshmallow asks of each value whether its object is a mapping or a sequence, and whether there are defaults: that
    is most of the time that a long list takes.
    """

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """The values of an object, or of each of many, as JSON has them."""
        many = self.many if many is None else many
        return [self._dumped(one) for one in obj] if many else self._dumped(obj)

    def _dumped(self, obj: Any) -> dict[str, Any]:
        dumped = {}
        for name, key, value_of, field in self._values:
            try:
                value = value_of(obj)
            except AttributeError:
                continue
            dumped[key] = value if type(field) in PLAIN else field._serialize(value, name, obj)
        return dumped

    @cached_property
    def _values(self) -> list[tuple[str, str, Callable[[Any], Any], fields.Field[Any]]]:
        return [
            (name, field.data_key or name, attrgetter(field.attribute or name), field)
            for name, field in self.dump_fields.items()
        ]
