"""The archive: everyone's listens of closed days as Parquet files, and a column store that counts them.

It takes `requirements-batch.txt`. Nothing imports it but what was asked for it.
"""
