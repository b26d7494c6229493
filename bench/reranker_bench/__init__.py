"""Measures the latency of a reranker over HTTP by the number of documents, and loses no sample silently."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("reranker-operator")
except PackageNotFoundError:  # run from a checkout that isn't installed
    __version__ = "unknown"
