"""A histogram fed with arrays shows what the client library's own shows for the same values one by one."""

import numpy as np
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from reranker_service.bulk_histogram import BulkHistogram

BUCKETS = (4, 8, 16, 0.5 * 64)


def test_it_counts_as_the_library_does() -> None:
    values = np.random.default_rng(1).integers(0, 40, 500)
    bulk, single = CollectorRegistry(), CollectorRegistry()
    ours = BulkHistogram("tokens", "Tokens", buckets=BUCKETS, registry=bulk)
    theirs = Histogram("tokens", "Tokens", buckets=BUCKETS, registry=single)
    ours.observe_many(values[:123])
    ours.observe_many(values[123:].astype(np.int32))
    ours.observe_many([])
    for value in values.tolist():
        theirs.observe(value)
    expected = [line for line in generate_latest(single).decode().splitlines() if "_created" not in line]
    assert generate_latest(bulk).decode().splitlines() == expected
