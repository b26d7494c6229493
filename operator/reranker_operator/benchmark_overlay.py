"""What an InPlace benchmark means for its target: the scenario that is laid over the target's spec as long as it runs.

Pure, and a function of what the cluster holds now: with the benchmark finished or gone there is nothing to lay over, so
the target is what its own spec says, whatever happened meanwhile and whether an operator saw it or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reranker_operator.desired.benchmark_reranker import overlaid_spec

Object = Mapping[str, Any]

ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of a benchmark and of a scenario after which nothing more happens."""
_ACTIVE = frozenset({"Preparing", "Measuring"})


def is_finished(benchmark: Object) -> bool:
    """Whether nothing more will happen in it."""
    return _status(benchmark).get("phase") in ENDED


def holder(benchmarks: Iterable[Object], target: str) -> Object | None:
    """The InPlace benchmark whose turn it is with this target, or None.

    The one that has begun keeps its turn; otherwise the oldest is next.
    """
    waiting = [
        benchmark
        for benchmark in benchmarks
        if benchmark["spec"]["mode"] == "InPlace"
        and benchmark["spec"]["deploymentRef"]["name"] == target
        and "deletionTimestamp" not in benchmark["metadata"]
        and not is_finished(benchmark)
    ]
    return min(waiting, key=_turn, default=None)


def scenario_of(benchmark: Object) -> Object | None:
    """The scenario that is being prepared or measured now: an entry of the status."""
    scenarios: Sequence[Object] = _status(benchmark).get("scenarios") or ()
    return next((scenario for scenario in scenarios if scenario["phase"] in _ACTIVE), None)


def words(scenario: Object) -> str:
    """A scenario in a word, such as `qwen3_vllm/compact`."""
    return f"{scenario['backend']}/{scenario['instructionFormat']}"


def overlaid(resource: dict[str, Any], benchmarks: Sequence[Object]) -> dict[str, Any]:
    """The RerankerDeployment as it is to be carried out now: itself, or with a scenario laid over its spec."""
    found = _overlay(resource, benchmarks)
    if found is None:
        return resource
    _, scenario = found
    return {**resource, "spec": overlaid_spec(resource["spec"], scenario["backend"], scenario["instructionFormat"])}


def target_status(resource: Object, benchmarks: Sequence[Object]) -> dict[str, Any]:
    """The field `benchmark` of a RerankerDeployment's status, as a dict with that key or an empty one.

    Of a benchmark that has been deleted, what was known of it stays.
    """
    before = _status(resource).get("benchmark")
    last = _last_finished(resource["metadata"]["name"], benchmarks)
    kept = {key: value for key, value in (before or {}).items() if key != "overlay"}
    told = kept if last is None else max(kept, _told(last), key=lambda entry: entry.get("completionTime") or "")
    found = _overlay(resource, benchmarks)
    if found is not None:
        benchmark, scenario = found
        best = _status(benchmark).get("best")
        told = {"name": benchmark["metadata"]["name"], "overlay": words(scenario), **({"best": best} if best else {})}
    # Without a time it never finished: nothing is known of a benchmark that was deleted while it ran.
    return {"benchmark": told} if told.get("overlay") or told.get("completionTime") else {}


def _overlay(resource: Object, benchmarks: Sequence[Object]) -> tuple[Object, Object] | None:
    benchmark = holder(benchmarks, resource["metadata"]["name"])
    scenario = scenario_of(benchmark) if benchmark is not None else None
    return (benchmark, scenario) if benchmark is not None and scenario is not None else None


def _last_finished(target: str, benchmarks: Sequence[Object]) -> Object | None:
    finished = [
        benchmark
        for benchmark in benchmarks
        if benchmark["spec"]["deploymentRef"]["name"] == target and is_finished(benchmark)
    ]
    return max(
        finished,
        key=lambda benchmark: (_status(benchmark).get("completionTime", ""), benchmark["metadata"]["name"]),
        default=None,
    )


def _told(benchmark: Object) -> dict[str, Any]:
    status = _status(benchmark)
    kept = {key: status[key] for key in ("completionTime", "best") if key in status}
    return {"name": benchmark["metadata"]["name"], **kept}


def _status(resource: Object) -> Object:
    found: Object = resource.get("status") or {}
    return found


def _turn(benchmark: Object) -> tuple[bool, str, str]:
    metadata = benchmark["metadata"]
    return "startTime" not in _status(benchmark), metadata.get("creationTimestamp", ""), metadata["name"]
