"""What a pass over a RerankerBenchmark should do: a state machine over the scenarios, one step a pass.

Pure: what was observed and the clock's reading come in, the next status and the objects to apply and delete come out.
The status is the only memory, and every step can be taken twice: a pass that was cut short anywhere is simply made
again. A scenario that has ended is never looked at again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from reranker_operator import benchmark_reasons as reasons
from reranker_operator.api.benchmark import RerankerBenchmarkSpec
from reranker_operator.api.benchmark_status import ScenarioStatus
from reranker_operator.benchmark_overlay import ENDED, holder
from reranker_operator.benchmark_scenario import Scene, Step, advance, begin, failed, waiting_for
from reranker_operator.benchmark_status import Now, compute_status, parse_stamp
from reranker_operator.desired.benchmark_run import BenchmarkRun
from reranker_operator.names import BENCHMARK_LABEL, INSTANCE_LABEL
from reranker_operator.settings import Settings

Object = dict[str, Any]

WAIT_SECONDS = 5.0
"""How often a benchmark that waits for its turn looks whether it has come."""


@dataclass(frozen=True)
class Seen:
    """What the cluster holds."""

    resource: Object
    """The RerankerBenchmark."""
    target: Object | None
    """The RerankerDeployment that it names."""
    benchmarks: Sequence[Object]
    """All benchmarks of the namespace, this one included."""
    rerankers: Sequence[Object]
    """RerankerDeployments with the benchmark's label, and the one of the present scenario's name whoever's it is."""
    job: Object | None
    """The Job of the present scenario's name, whoever's it is."""
    pods: Sequence[Object]
    """Pods with the benchmark's label."""
    target_pods: Sequence[Object]
    """The target's pods."""
    now: datetime
    refusal: str | None = None
    """Why the API server would not have what the pass before wanted to apply."""


@dataclass(frozen=True)
class Decision:
    """What to do, in this order: apply, write the status, delete."""

    status: Mapping[str, Any]
    apply: Sequence[Object] = ()
    delete: Sequence[Object] = ()
    again_after: float | None = None
    """When to look again though nothing changes, in seconds."""
    expired: bool = False
    """The benchmark itself is to be deleted: its time to live is over."""


@dataclass
class _Course:
    """The scenarios as the pass leaves them, and what it wants done."""

    states: list[ScenarioStatus]
    apply: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    now: Now | None = None
    again_after: float | None = None


def position_of(resource: Mapping[str, Any]) -> int | None:
    """The position of the scenario that a pass will look at; None when all have ended."""
    scenarios = (resource.get("status") or {}).get("scenarios")
    if not scenarios:
        return 0
    return next((position for position, entry in enumerate(scenarios) if entry["phase"] not in ENDED), None)


def decide(seen: Seen, settings: Settings) -> Decision:
    """Decide on the next step."""
    metadata = seen.resource["metadata"]
    try:
        spec = RerankerBenchmarkSpec.model_validate(seen.resource["spec"])
    except ValidationError as error:
        return _invalid(seen, error)
    run = BenchmarkRun(metadata["name"], metadata["namespace"], metadata["uid"], spec, settings)
    position = position_of(seen.resource)
    if position is None:
        return _after_the_end(seen, run)
    course = _Course(_states(seen.resource, spec))
    wait = _turn(seen, run) if all(state.phase == "Pending" for state in course.states) else None
    if wait is not None:
        course.now, course.again_after = wait, WAIT_SECONDS
    else:
        _go_on(seen, run, position, course)
    wanted = len(spec.scenarios) * len(spec.documents) * spec.repeat
    return Decision(
        status=compute_status(seen.resource, course.states, course.now, seen.now, wanted),
        apply=course.apply,
        delete=[*course.delete, *_leftovers(seen, run, course.states)],
        again_after=course.again_after,
    )


def _states(resource: Object, spec: RerankerBenchmarkSpec) -> list[ScenarioStatus]:
    known = (resource.get("status") or {}).get("scenarios")
    if known:
        return [ScenarioStatus.model_validate(entry) for entry in known]
    return [
        ScenarioStatus(backend=scenario.backend, instruction_format=scenario.instruction_format, phase="Pending")
        for scenario in spec.scenarios
    ]


def _turn(seen: Seen, run: BenchmarkRun) -> Now | None:
    """Why the benchmark may not begin yet; None where it may."""
    target = run.spec.deployment_ref.name
    if seen.target is None:
        return Now(
            reasons.TARGET_NOT_FOUND, f"there is no RerankerDeployment {target} in this namespace; it is waited for"
        )
    if run.spec.mode == "InPlace":
        first = holder(seen.benchmarks, target)
        if first is not None and first["metadata"]["uid"] != run.uid:
            name = first["metadata"]["name"]
            return Now(
                reasons.TARGET_BUSY, f"the benchmark {name} measures {target} in place; this one is next or later"
            )
    return None


def _go_on(seen: Seen, run: BenchmarkRun, position: int, course: _Course) -> None:
    """Take the present scenario a step further; where that ends it, begin the next one."""
    step = advance(_scene(seen, run, position), course.states[position])
    _take(course, position, step)
    while step.state.phase in ENDED and position + 1 < len(course.states):
        position += 1
        # At once: an InPlace target would otherwise turn back to its own spec between two scenarios.
        step = begin(_scene(seen, run, position), course.states[position])
        _take(course, position, step)
    if step.state.phase not in ENDED:
        name = f"{step.state.backend}/{step.state.instruction_format}"
        of = f"scenario {position + 1} of {len(course.states)} ({name})"
        reason = step.state.reason or waiting_for(step.state)
        course.now = Now(reason, f"{of}: {step.state.message}" if step.state.message else of)
        course.again_after = step.again_after


def _take(course: _Course, position: int, step: Step) -> None:
    course.states[position] = step.state
    course.apply += step.apply
    course.delete += step.delete


def _scene(seen: Seen, run: BenchmarkRun, position: int) -> Scene:
    name = run.child_name(position)
    job = seen.job if seen.job is not None and seen.job["metadata"]["name"] == name else None
    return Scene(
        run=run,
        position=position,
        target=seen.target,
        temporary=next((each for each in seen.rerankers if each["metadata"]["name"] == name), None),
        leftovers=[each for each in (*seen.rerankers, *_server_pods(seen)) if _instance(each) not in (None, name)],
        job=job,
        # By uid: pods of an earlier benchmark's Job of this name may still be there, with that one's figures.
        job_pods=[pod for pod in seen.pods if job is not None and _job_of(pod) == job["metadata"]["uid"]],
        server_pods=(
            seen.target_pods
            if run.spec.mode == "InPlace"
            else [pod for pod in _server_pods(seen) if _instance(pod) == name]
        ),
        now=seen.now,
        refusal=seen.refusal,
    )


def _server_pods(seen: Seen) -> list[Object]:
    """Pods of the benchmark's temporary rerankers."""
    return [pod for pod in seen.pods if _job_of(pod) is None]


def _instance(item: Object) -> str | None:
    """The temporary reranker that an object is or belongs to."""
    if item["kind"] == "Pod":
        found: str | None = item["metadata"]["labels"].get(INSTANCE_LABEL)
        return found
    return str(item["metadata"]["name"])


def _job_of(pod: Object) -> str | None:
    """The uid of the Job that a pod belongs to."""
    for reference in pod["metadata"].get("ownerReferences") or ():
        if reference["kind"] == "Job":
            return str(reference["uid"])
    return None


def _leftovers(seen: Seen, run: BenchmarkRun, states: Sequence[ScenarioStatus]) -> list[Object]:
    """Temporary rerankers of this benchmark whose scenario isn't the present one."""
    present = {
        run.child_name(position) for position, state in enumerate(states) if state.phase in ("Preparing", "Measuring")
    }
    return [
        each
        for each in seen.rerankers
        if each["metadata"]["name"] not in present
        and (each["metadata"].get("labels") or {}).get(BENCHMARK_LABEL) == run.name
        and any(reference["uid"] == run.uid for reference in each["metadata"].get("ownerReferences") or ())
        and "deletionTimestamp" not in each["metadata"]
    ]


def _after_the_end(seen: Seen, run: BenchmarkRun) -> Decision:
    """Clean up; once its time to live is over, delete the benchmark itself."""
    status = seen.resource["status"]
    delete = _leftovers(seen, run, ())
    if run.spec.ttl_seconds_after_finished is None:
        return Decision(status, delete=delete)
    end = parse_stamp(status["completionTime"]) + timedelta(seconds=run.spec.ttl_seconds_after_finished)
    left = (end - seen.now).total_seconds()
    return Decision(status, delete=delete, again_after=max(left, 0.0) if left > 0 else None, expired=left <= 0)


def _invalid(seen: Seen, error: ValidationError) -> Decision:
    """The object isn't what this operator knows: CRD and operator are of different versions."""
    faults = "; ".join(f"spec.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    known = (seen.resource.get("status") or {}).get("scenarios") or seen.resource["spec"].get("scenarios") or []
    states = [
        failed(ScenarioStatus.model_validate({"phase": "Pending", **entry}), reasons.INVALID_SPEC, faults, seen.now)
        for entry in known
    ]
    return Decision(compute_status(seen.resource, states, None, seen.now, 0))
