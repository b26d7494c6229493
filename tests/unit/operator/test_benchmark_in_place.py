"""An InPlace benchmark lays its scenarios over the target, never edits its spec, and leaves nothing of them behind."""

from typing import Any

import pytest
from tests.unit.operator.benchmark_world import FOUR, World, benchmark, message, reranker

from reranker_operator.benchmark_overlay import holder, overlaid, target_status

OWN = ("qwen3_vllm_score", "compact")


def in_place(name: str = "matrix", uid: str = "b1", **spec: Any) -> dict[str, Any]:
    return benchmark(name, uid, mode="InPlace", **spec)


def finished(name: str, when: str, **spec: Any) -> dict[str, Any]:
    best = {"backend": "b", "instructionFormat": "f", "documents": 10, "meanMs": 1.5, "summary": "b/f 1.5 ms (n=10)"}
    status = {"phase": "Succeeded", "completionTime": when, "best": best}
    return {**benchmark(name, name, **spec), "status": status}


def test_target_serves_each_scenario_in_turn_and_then_its_own_spec():
    world = World(in_place())
    assert world.served() == OWN
    served = []
    for _ in range(20):
        world.step()
        if world.status["phase"] != "Running":
            break
        served.append(world.served())
        if world.jobs and world.scenario(len(world.jobs) - 1)["phase"] == "Measuring":
            world.end_job(message())
    assert list(dict.fromkeys(served)) == [(each["backend"], each["instructionFormat"]) for each in FOUR]
    assert world.status["phase"] == "Succeeded"
    assert world.served() == OWN
    assert not [made for made in world.made if made.startswith("RerankerDeployment")]


def test_between_two_scenarios_the_target_does_not_turn_back():
    world = World(in_place())
    world.run_scenario(message())
    assert world.scenario(0)["phase"] == "Succeeded"
    assert world.served() == ("qwen3_vllm", "standard")


def test_job_waits_until_the_target_says_that_it_serves_the_scenario():
    world = World(in_place())
    world.step()
    assert world.target is not None
    told = world.target["status"]
    for stale in (
        {**told, "observedGeneration": 0},
        {key: value for key, value in told.items() if key != "benchmark"},
        {**told, "benchmark": {**told["benchmark"], "overlay": "qwen3_vllm/standard"}},
    ):
        world.target["status"] = stale
        world.step()
        assert not world.jobs
    world.step()
    assert list(world.jobs) == ["matrix-s1"]


def test_pods_of_before_must_have_ended_first():
    world = World(in_place())
    world.step()
    world.target_pods = [{"kind": "Pod", "metadata": {"name": "old", "deletionTimestamp": "x"}, "spec": {}}]
    world.step()
    assert not world.jobs
    assert "the pod old of before has not ended yet" in world.scenario(0)["message"]


def test_results_name_the_image_that_was_measured():
    world = World(in_place())
    world.step()
    container = {"name": "reranker", "image": "service:7"}
    world.target_pods = [{"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}]
    world.step()
    arguments = world.jobs["matrix-s1"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--image=service:7" in arguments


def test_change_of_the_spec_in_the_middle_is_carried_out_under_the_scenario_and_is_told():
    world = World(in_place())
    world.step()
    world.step()
    assert world.target is not None
    metadata = {**world.target["metadata"], "generation": 2}
    changed = {**world.target["spec"], "maxModelLen": 200, "instructionFormat": "standard"}
    world.target = {**world.target, "metadata": metadata, "spec": changed}
    assert overlaid(world.target, [world.resource])["spec"]["maxModelLen"] == 200
    assert world.served() == ("qwen3_vllm", "compact")
    world.end_job(message())
    world.step()
    assert "the reranker's spec was changed while it was measured (generation 1 to 2)" in world.scenario(0)["message"]
    assert overlaid(world.target, [])["spec"] == changed, "with the benchmark gone it is what its spec says"


@pytest.mark.parametrize(
    "gone",
    [
        {"metadata": {"deletionTimestamp": "2026-05-01T12:00:00Z"}},
        {"status": {"phase": "Failed"}},
        {"status": {"phase": "Succeeded"}},
        {"spec": {"deploymentRef": {"name": "another"}}},
        {"spec": {"mode": "Dedicated"}},
    ],
    ids=str,
)
def test_nothing_is_laid_over_by_a_benchmark_that_does_not_measure_the_target_in_place_now(gone: dict[str, Any]):
    world = World(in_place())
    world.step()
    assert world.served() != OWN
    world.resource = {key: {**value, **gone.get(key, {})} if isinstance(value, dict) else value
                      for key, value in world.resource.items()}  # fmt: skip
    assert world.served() == OWN


def test_second_benchmark_of_the_target_waits_for_its_turn():
    first = World(in_place("first", "b1"))
    second = World(in_place("second", "b2"))
    first.step()
    second.others = [first.resource]
    second.step()
    assert (second.status["phase"], second.status["done"]) == ("Pending", "0/4")
    (seen,) = [entry for entry in second.status["conditions"] if entry["type"] == "Finished"]
    assert (seen["status"], seen["reason"]) == ("False", "TargetBusy")
    assert "the benchmark first measures products in place" in seen["message"]
    second.others = [{**first.resource, "status": {"phase": "Succeeded"}}]
    second.step()
    assert second.scenario(0)["phase"] == "Preparing"


def test_benchmark_that_has_begun_keeps_its_turn_before_an_older_one():
    begun = World(in_place("z-begun", "b1"))
    begun.step()
    older = in_place("a-older", "b2")
    older["metadata"]["creationTimestamp"] = "2026-05-01T11:00:00Z"
    first = holder([older, begun.resource], "products")
    assert first is not None
    assert first["metadata"]["name"] == "z-begun"
    assert begun.served() == ("qwen3_vllm", "compact")


def test_dedicated_benchmark_does_not_wait_for_one_in_place():
    first = World(in_place("first", "b1"))
    first.step()
    dedicated = World(benchmark("matrix", "b2"))
    dedicated.others = [first.resource]
    dedicated.step()
    assert dedicated.made == ["RerankerDeployment matrix-s1"]


def test_targets_status_names_the_overlay_while_it_is_there_and_the_last_result_afterwards():
    world = World(in_place())
    world.step()
    assert world.target is not None
    assert world.target["status"]["benchmark"] == {"name": "matrix", "overlay": "qwen3_vllm/compact"}
    for _ in range(4):
        world.run_scenario(message())
    world.step()
    told = world.target["status"]["benchmark"]
    assert (told["name"], told["best"]["documents"]) == ("matrix", 20)
    assert "overlay" not in told
    assert told["completionTime"] == world.status["completionTime"]


def test_last_result_stays_when_its_benchmark_is_deleted_and_gives_way_to_a_later_one():
    target = reranker()
    target["status"] |= target_status(target, [finished("old", "2026-05-01T10:00:00Z")])
    assert target["status"]["benchmark"]["name"] == "old"
    assert target_status(target, [])["benchmark"]["name"] == "old"
    older = finished("older", "2026-05-01T09:00:00Z")
    assert target_status(target, [older])["benchmark"]["name"] == "old"
    later = finished("later", "2026-05-01T11:00:00Z")
    assert target_status(target, [older, later])["benchmark"]["name"] == "later"


def test_nothing_stays_of_a_benchmark_that_was_deleted_while_it_ran():
    world = World(in_place())
    world.step()
    assert world.target is not None
    assert target_status(world.target, []) == {}


def test_targets_deletion_in_the_middle_is_told():
    world = World(in_place())
    world.step()
    world.step()
    world.target = None  # type: ignore[assignment]
    world.end_job(message(lost=1))
    world.step()
    assert world.scenario(0)["reason"] == "LostSamples"
    world.step()
    assert world.scenario(1)["reason"] == "TargetNotFound"
