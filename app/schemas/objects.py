"""The schema of what is an object: all that the measures give."""

from typing import Any

from flask_marshmallow import Schema


class ObjectSchema(Schema):
    """A schema whose values are attributes of objects.

    marshmallow looks each of them up in three ways, as objects may be mappings or sequences, too: that is a third of
    the time that a long list takes.
    """

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """The attribute, or what a path of attributes leads to."""
        return super().get_attribute(obj, attr, default) if "." in attr else getattr(obj, attr, default)
