"""The state machine of a benchmark: scenario after scenario, whatever happens meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.operator.benchmark_world import FOUR, World, benchmark, conditions, job_pod, message, reranker
from tests.unit.operator.builders import make_settings

from reranker_operator.benchmark_plan import decide
from reranker_operator.names import BENCHMARK_LABEL


def unschedulable(name: str, said: str, since: str) -> dict[str, Any]:
    """A pod of a temporary reranker that no node takes."""
    condition = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said,
        "lastTransitionTime": since,
    }  # fmt: skip
    labels = {"app.kubernetes.io/instance": name, BENCHMARK_LABEL: "matrix"}
    container = {"name": "reranker", "resources": {"requests": {"nvidia.com/gpu": "1", "cpu": "1"}}}
    metadata = {"name": f"{name}-0", "labels": labels, "creationTimestamp": since}
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container]},
        "status": {"conditions": [condition]},
    }


def condition(world: World, kind: str) -> tuple[str, str]:
    """Status and reason."""
    (found,) = [entry for entry in world.status["conditions"] if entry["type"] == kind]
    return found["status"], found["reason"]


def test_four_dedicated_scenarios_run_one_after_another_and_the_fastest_is_named():
    world = World(benchmark())
    for mean in (4.0, 3.0, 1.0, 2.0):
        world.run_scenario(message(mean=mean))
    assert world.made == [
        f"{kind} matrix-s{number}" for number in (1, 2, 3, 4) for kind in ("RerankerDeployment", "Job")
    ]
    assert (world.status["phase"], world.status["done"], world.status["samples"]) == ("Succeeded", "4/4", "24/24")
    assert world.status["best"]["summary"] == "qwen3_vllm_score/compact 20.0 ms (n=20)"
    assert condition(world, "Finished") == condition(world, "Succeeded") == ("True", "Completed")
    assert not world.rerankers, "the temporary rerankers are gone"
    assert world.scenario(1)["results"][1]["meanMs"] == 60.0
    assert world.scenario(0)["rawResults"] == "kubectl logs job/matrix-s1"


def test_at_most_one_temporary_reranker_is_there_at_a_time():
    world = World(benchmark())
    most = 0
    while world.resource.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
        world.step()
        most = max(most, len(world.rerankers))
        world.bring_up()
        if world.jobs and world.scenario(len(world.jobs) - 1)["phase"] == "Measuring":
            world.end_job(message())
    assert most == 1


def test_next_scenario_waits_until_the_pods_of_the_one_before_are_gone():
    world = World(benchmark())
    world.run_scenario(message())
    labels = {"app.kubernetes.io/instance": "matrix-s1", BENCHMARK_LABEL: "matrix"}
    world.pods.append({"kind": "Pod", "metadata": {"name": "matrix-s1-0", "labels": labels}, "spec": {}})
    for _ in range(3):
        decision = world.step()
        assert not decision.apply
        assert condition(world, "Finished") == ("False", "CleaningUp")
        assert decision.again_after
    world.pods.pop()
    world.step()
    assert world.made[-1] == "RerankerDeployment matrix-s2"


def test_failed_scenario_is_recorded_and_the_next_one_runs():
    world = World(benchmark())
    world.run_scenario(message())
    world.run_scenario('{"schema_version": 1, "error": "the server is not ready"}')
    world.run_scenario(message(lost=2))
    world.run_scenario("Traceback: boom")
    assert [entry["phase"] for entry in world.status["scenarios"]] == ["Succeeded", "Failed", "Failed", "Failed"]
    assert [entry.get("reason") for entry in world.status["scenarios"]] == [
        None, "NotMeasured", "LostSamples", "JobFailed",
    ]  # fmt: skip
    assert world.scenario(2)["results"], "the figures of a scenario with losses are kept"
    assert "boom" in world.scenario(3)["message"]
    assert (world.status["phase"], world.status["done"]) == ("Failed", "4/4")
    assert condition(world, "Succeeded") == ("False", "ScenariosFailed")


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_pass_that_is_cut_short_anywhere_repeats_nothing(cut: int):
    """The operator dies after applying and before writing the status, in the pass of this number."""
    world = World(benchmark(scenarios=FOUR[:2]))
    for number in range(40):
        before = world.resource
        world.step()
        if number == cut:
            world.resource = before
        world.bring_up()
        if world.jobs and "status" not in list(world.jobs.values())[-1]:
            world.end_job(message())
        if world.resource.get("status", {}).get("phase") == "Succeeded":
            break
    assert world.status["done"] == "2/2"
    assert sorted(set(world.made)) == sorted(
        f"{kind} matrix-s{number}" for number in (1, 2) for kind in ("Job", "RerankerDeployment")
    )
    jobs = [made for made in world.made if made.startswith("Job")]
    assert len(jobs) == 2, "no scenario was measured twice"


def test_ended_scenario_is_never_looked_at_again():
    world = World(benchmark())
    world.run_scenario(message(mean=7.0))
    done = world.scenario(0)
    world.jobs.clear()
    world.run_scenario(message())
    assert world.scenario(0) == done


def test_gpu_that_stays_taken_fails_the_scenario():
    world = World(benchmark(gpuWaitTimeout="1m"))
    world.step()
    said = "0/3 nodes are available: 2 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint."
    world.pods = [unschedulable("matrix-s1", said, "2026-05-01T12:00:01Z")]
    world.bring_up(conditions=conditions(Available=("False", "Unschedulable"), Progressing=("True", "Unschedulable")))
    world.step(50)
    assert world.scenario(0)["phase"] == "Preparing"
    assert condition(world, "Finished") == ("False", "WaitingForGPU")
    world.now += timedelta(seconds=10)
    world.step()
    assert (world.scenario(0)["phase"], world.scenario(0)["reason"]) == ("Failed", "NoFreeGPU")
    assert "no nvidia.com/gpu was free for 60 s" in world.scenario(0)["message"]
    assert not world.rerankers, "its reranker must not go on waiting for the GPU"


def test_pod_that_no_node_takes_for_another_cause_is_not_a_matter_of_gpus():
    world = World(benchmark(gpuWaitTimeout="1m"))
    world.step()
    world.pods = [unschedulable("matrix-s1", "0/3 nodes are available: 3 Insufficient cpu.", "2026-05-01T12:00:01Z")]
    world.bring_up()
    world.step(120)
    world.step()
    assert world.scenario(0)["reason"] == "Unschedulable"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"Accepted": ("False", "ProfileNotFound")}, "ProfileNotFound"),
        ({"Progressing": ("False", "ProgressDeadlineExceeded")}, "ProgressDeadlineExceeded"),
    ],
)
def test_reranker_that_cannot_come_up_fails_the_scenario_at_once(state: dict[str, Any], reason: str):
    world = World(benchmark())
    world.step()
    world.bring_up(conditions=conditions(**state))
    world.step()
    assert (world.scenario(0)["phase"], world.scenario(0)["reason"]) == ("Failed", reason)
    assert world.scenario(0)["message"] == f"{reason} it is"


@pytest.mark.parametrize(("restarts", "phase"), [(1, "Preparing"), (2, "Failed")])
def test_crash_is_given_one_restart(restarts: int, phase: str):
    world = World(benchmark())
    world.step()
    labels = {"app.kubernetes.io/instance": "matrix-s1", BENCHMARK_LABEL: "matrix"}
    ended = {"exitCode": 1, "message": "no such model"}
    status = {
        "name": "reranker",
        "restartCount": restarts,
        "state": {"waiting": {}},
        "lastState": {"terminated": ended},
    }
    pod = {"kind": "Pod", "metadata": {"name": "p", "labels": labels}, "spec": {"containers": []}}
    world.pods = [{**pod, "status": {"containerStatuses": [status]}}]
    world.bring_up(conditions=conditions(Available=("False", "CrashLoop"), Progressing=("True", "CrashLoop")))
    world.step()
    assert world.scenario(0)["phase"] == phase
    assert "no such model" in world.scenario(0)["message"]


def test_time_limit_ends_a_scenario_whose_reranker_never_serves():
    world = World(benchmark(scenarioTimeout="10m"))
    world.step(599)
    world.bring_up(conditions=conditions(Progressing=("True", "RollingOut")))
    world.step()
    assert world.scenario(0)["phase"] == "Preparing"
    world.step()
    assert (world.scenario(0)["phase"], world.scenario(0)["reason"]) == ("Failed", "TimeLimit")
    assert "10m (scenarioTimeout)" in world.scenario(0)["message"]
    assert not world.rerankers


def test_job_has_the_time_that_is_left():
    world = World(benchmark(scenarioTimeout="10m"))
    world.step(200)
    world.bring_up()
    world.step()
    assert world.jobs["matrix-s1"]["spec"]["activeDeadlineSeconds"] == 400
    world.end_job(None, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    world.step()
    assert world.scenario(0)["reason"] == "TimeLimit"


def test_job_that_never_ends_is_deleted_after_the_limit():
    world = World(benchmark(scenarioTimeout="10m"))
    world.step()
    world.bring_up()
    world.step(631)
    world.step()
    assert world.scenario(0)["reason"] == "TimeLimit"
    assert not world.jobs


def test_job_that_someone_deletes_fails_its_scenario():
    world = World(benchmark())
    world.step()
    world.bring_up()
    world.step()
    world.jobs.clear()
    world.step()
    assert world.scenario(0)["reason"] == "JobDeleted"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (message(samples=2), "Interrupted"),
        (message(interrupted=True), "Interrupted"),
        ("[1, 2]", "JobFailed"),
        ("", "JobFailed"),
        ('{"cells": [{"n": "many"}]}', "JobFailed"),
    ],
)
def test_summary_that_lacks_something_fails_the_scenario(said: str, reason: str):
    world = World(benchmark())
    world.run_scenario(said)
    assert world.scenario(0)["reason"] == reason


def test_target_is_waited_for_before_the_first_scenario():
    world = World(benchmark())
    world.target = None  # type: ignore[assignment]
    decision = world.step()
    assert (world.status["phase"], world.status["done"]) == ("Pending", "0/4")
    assert condition(world, "Finished") == ("False", "TargetNotFound")
    assert decision.again_after
    world.target = reranker()
    world.step()
    assert world.status["phase"] == "Running"


def test_target_that_is_deleted_in_the_middle_fails_what_is_left():
    world = World(benchmark())
    world.run_scenario(message())
    world.target = None  # type: ignore[assignment]
    for _ in range(5):
        world.step()
    assert [entry.get("reason") for entry in world.status["scenarios"]] == [None, *["TargetNotFound"] * 3]


def test_requests_that_the_target_would_refuse_are_not_sent():
    world = World(benchmark(documents=[10, 600]), reranker(limits={"maxDocuments": 500}))
    for _ in range(3):
        world.step()
    assert {entry["reason"] for entry in world.status["scenarios"]} == {"TooManyDocuments"}
    assert "limits.maxDocuments of products is 500" in world.scenario(0)["message"]
    assert not world.made


def test_object_of_the_same_name_is_not_taken_over():
    world = World(benchmark())
    world.rerankers["matrix-s1"] = reranker("matrix-s1")
    world.step()
    assert world.scenario(0)["reason"] == "NameConflict"
    assert "matrix-s1" in world.rerankers, "it isn't ours to delete"


def test_remains_of_an_earlier_benchmark_of_this_name_are_waited_for():
    world = World(benchmark())
    world.run_scenario(message())
    again = World(benchmark(uid="b2"))
    again.jobs = world.jobs
    again.step()
    assert again.scenario(0)["phase"] == "Preparing"
    assert condition(again, "Finished") == ("False", "CleaningUp")
    again.jobs = {}
    again.step()
    assert again.made == ["RerankerDeployment matrix-s1"]


def test_what_the_cluster_refuses_fails_the_scenario():
    world = World(benchmark())
    world.refusal = "exceeded quota"
    world.step()
    assert world.scenario(0)["reason"] == "Rejected"
    assert "exceeded quota" in world.scenario(0)["message"]


def test_finished_benchmark_changes_nothing_until_its_time_to_live_is_over():
    world = World(benchmark(scenarios=FOUR[:1],
                            ttlSecondsAfterFinished=60))  # fmt: skip
    world.run_scenario(message())
    status = world.status
    decision = world.step(30)
    assert decision.status == status
    assert not decision.apply
    assert 0 < (decision.again_after or 0) <= 60
    world.now += timedelta(seconds=60)
    assert decide(world.seen(), make_settings()).expired


def test_without_a_time_to_live_it_stays():
    world = World(benchmark(scenarios=FOUR[:1]))
    world.run_scenario(message())
    world.now += timedelta(days=400)
    decision = world.step()
    assert (decision.expired, decision.again_after) == (False, None)


def test_benchmark_pod_whose_image_cannot_be_pulled_fails_the_scenario_after_a_while():
    world = World(benchmark())
    world.step()
    world.bring_up()
    world.step()
    pod = job_pod("matrix-s1", "")
    waiting = {"name": "bench", "image": "none", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
    world.pods = [{**pod, "status": {"containerStatuses": [waiting]}}]
    world.step(121)
    assert (world.scenario(0)["phase"], world.scenario(0)["reason"]) == ("Measuring", "ImagePull")
    world.step()
    assert (world.scenario(0)["phase"], world.scenario(0)["reason"]) == ("Failed", "ImagePull")
    assert not world.jobs


def test_pod_that_has_ended_is_not_taken_for_a_crash_before_its_job_has_ended():
    world = World(benchmark())
    world.step()
    world.bring_up()
    world.step()
    world.pods = [job_pod("matrix-s1", message())]
    world.step()
    assert (world.scenario(0)["phase"], world.scenario(0).get("reason")) == ("Measuring", None)


def test_pod_of_an_earlier_job_of_this_name_does_not_speak_for_the_present_one():
    world = World(benchmark(scenarios=FOUR[:1]))
    world.step()
    world.bring_up()
    world.step()
    earlier = job_pod("matrix-s1", message(mean=1.0))
    earlier["metadata"]["ownerReferences"][0]["uid"] = "uid-of-another"
    world.end_job(message(mean=5.0))
    world.pods.insert(0, earlier)
    world.step()
    assert world.scenario(0)["results"][0]["meanMs"] == 50.0


def test_benchmark_pod_that_ran_out_of_memory_is_told():
    world = World(benchmark())
    world.step()
    world.bring_up()
    world.step()
    world.end_job("", "Failed", "BackoffLimitExceeded")
    world.pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] = "OOMKilled"
    world.step()
    assert world.scenario(0)["reason"] == "OOMKilled"
    assert "job.resources" in world.scenario(0)["message"]


def test_at_rest_the_same_status_comes_out():
    world = World(benchmark())
    world.step()
    world.bring_up(conditions=conditions(Available=("False", "PodsStarting"), Progressing=("True", "RollingOut")))
    world.step()
    status = world.status
    for _ in range(3):
        world.step()
        assert world.status == status
