"""Whatever happens in whatever order, a benchmark ends, measures no scenario twice and leaves nothing behind."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator.benchmark_world import World, benchmark, conditions, message

from reranker_operator.benchmark_overlay import ENDED

EVENTS = ("step", "step", "killed after applying", "bring up", "crash", "measured", "lost", "silent", "late", "edited")


def happen(world: World, event: str) -> None:
    if event == "step":
        world.step()
    elif event == "killed after applying":
        # The objects are there, what was to be written down is not; pods and time go on.
        before = world.resource
        world.step()
        world.resource = before
    elif event == "bring up":
        world.bring_up()
    elif event == "crash":
        world.bring_up(conditions=conditions(Progressing=("False", "ProgressDeadlineExceeded")))
    elif event in ("measured", "lost", "silent") and any("status" not in job for job in world.jobs.values()):
        world.end_job({"measured": message(), "lost": message(lost=1), "silent": None}[event])
    elif event == "late":
        world.now += timedelta(minutes=40)
    elif event == "edited" and world.target is not None:
        metadata = world.target["metadata"]
        world.target = {**world.target, "metadata": {**metadata, "generation": metadata["generation"] + 1}}


def ended(world: World) -> list[str]:
    scenarios = (world.resource.get("status") or {}).get("scenarios", [])
    return [scenario["phase"] for scenario in scenarios if scenario["phase"] in ENDED]


@pytest.mark.parametrize("mode", ["Dedicated", "InPlace"])
@settings(max_examples=80, deadline=None)
@given(events=st.lists(st.sampled_from(EVENTS), max_size=60))
def test_benchmark_ends_and_measures_nothing_twice(mode: str, events: list[str]):
    world = World(benchmark(mode=mode))
    own = world.served()
    for event in events:
        before = ended(world)
        happen(world, event)
        if event != "killed after applying":
            assert ended(world)[: len(before)] == before, "what has ended stays as it is"
    for _ in range(30):
        world.bring_up()
        if any("status" not in job for job in world.jobs.values()):
            world.end_job(message())
        world.step()
    assert len(ended(world)) == 4
    assert world.served() == own, "the target is what its spec says"
    assert not world.rerankers
    counts = Counter(made for made in world.made if made.startswith("Job"))
    assert all(count == 1 for count in counts.values()), counts
