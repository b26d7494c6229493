"""Which failures of a reranker end a benchmark's scenario, and when."""

from datetime import timedelta

import pytest
from tests.unit.operator.benchmark_world import START, conditions, reranker

from reranker_operator.benchmark_startup import PATIENCE, Hopeless, Starting, standing

AT_ONCE, LATER = timedelta(seconds=1), PATIENCE + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("reason", "waited", "hopeless"),
    [
        ("ScoreCheckFailed", AT_ONCE, True),
        ("ProgressDeadlineExceeded", AT_ONCE, True),
        ("VolumeNotMounted", AT_ONCE, False),
        ("VolumeNotMounted", LATER, True),
        ("PodsRefused", AT_ONCE, False),
        ("PodsRefused", LATER, True),
        ("RollingOut", LATER, False),
    ],
)
def test_what_the_rerankers_conditions_say_ends_the_scenario(reason: str, waited: timedelta, hopeless: bool):
    told = conditions(Progressing=("True", reason), Available=("False", reason))
    failing = {**reranker(), "status": {"observedGeneration": 1, "conditions": told}}
    found = standing(failing, [], START, START + waited, gpu_wait=timedelta(minutes=5))
    assert isinstance(found, Hopeless if hopeless else Starting)
    if isinstance(found, Hopeless):
        assert found.reason == reason
