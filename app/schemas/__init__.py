"""marshmallow schemas: each checks or dumps, and documents itself in the OpenAPI document."""
