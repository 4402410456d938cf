"""Rollups: the listens of everyone, counted ahead of the question, and kept exact at every commit."""
