"""The measures: plain values and a session in, typed rows out. Nothing here knows of requests, JSON or the cache."""
