"""The HTTP surface: a route checks with a schema, asks one service function, and dumps with a schema."""
