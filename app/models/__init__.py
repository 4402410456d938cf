"""The tables this service reads, and those it owns."""
