"""One scenario: Pending, Preparing (its reranker starts), Measuring (its Job runs), then Succeeded or Failed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reranker_operator import benchmark_reasons as reasons
from reranker_operator.api.base import parse_duration
from reranker_operator.api.benchmark_status import ScenarioStatus
from reranker_operator.benchmark_results import Summary, SummaryError, read_summary
from reranker_operator.benchmark_startup import Hopeless, Starting, is_told, standing, trouble_of
from reranker_operator.benchmark_status import parse_stamp, stamp
from reranker_operator.desired.benchmark_job import Measured, results_file, scenario_job
from reranker_operator.desired.benchmark_reranker import temporary_reranker
from reranker_operator.desired.benchmark_run import BenchmarkRun
from reranker_operator.names import BENCHMARK_CONTAINER, BENCHMARK_KIND, CONTAINER
from reranker_operator.reasons import CRASH_LOOP, OOM_KILLED

Object = dict[str, Any]

LOOK_SECONDS = 2.0
"""How often a reranker that starts is looked at."""
SLACK = timedelta(seconds=30)
"""How much longer than Kubernetes' own deadline a Job that doesn't end is waited for."""
_ENDED = frozenset({CRASH_LOOP, OOM_KILLED})
"""What a container that has ended counts as, however it did."""
MEASURING_LOOK_SECONDS = 15.0
"""A Job's end is seen at once; this is for pods that can't start, and for the slack."""


@dataclass(frozen=True)
class Scene:
    """What a scenario's step is decided from."""

    run: BenchmarkRun
    position: int
    target: Object | None
    temporary: Object | None
    """The RerankerDeployment of the scenario's name, whoever's it is."""
    leftovers: Sequence[Object]
    """Temporary rerankers of other scenarios, and their pods."""
    job: Object | None
    """The Job of the scenario's name, whoever's it is."""
    job_pods: Sequence[Object]
    server_pods: Sequence[Object]
    """The pods of the reranker that is measured."""
    now: datetime
    refusal: str | None

    @property
    def in_place(self) -> bool:
        """Whether the target itself is measured."""
        return self.run.spec.mode == "InPlace"

    @property
    def name(self) -> str:
        """The scenario, for people."""
        scenario = self.run.scenario(self.position)
        return f"{scenario.backend}/{scenario.instruction_format}"


@dataclass(frozen=True)
class Step:
    """The scenario after the step, and what is to be done in the cluster."""

    state: ScenarioStatus
    apply: Sequence[Object] = ()
    delete: Sequence[Object] = ()
    again_after: float | None = None


def waiting_for(state: ScenarioStatus) -> str:
    """The reason that stands for a phase without one of its own."""
    return reasons.MEASURING if state.phase == "Measuring" else reasons.RERANKER_STARTING


def failed(state: ScenarioStatus, reason: str, message: str, now: datetime) -> ScenarioStatus:
    """The scenario, ended by a failure."""
    return state.model_copy(
        update={"phase": "Failed", "reason": reason, "message": message[:2048], "completion_time": stamp(now)}
    )


def advance(scene: Scene, state: ScenarioStatus) -> Step:
    """Take the scenario as far as it goes now."""
    if state.phase == "Pending":
        step = begin(scene, state)
        return step if step.state.phase != "Preparing" else _prepare(scene, step.state)
    return _prepare(scene, state) if state.phase == "Preparing" else _measure(scene, state)


def begin(scene: Scene, state: ScenarioStatus) -> Step:
    """Begin, unless what was made for the scenario before is still there: it may hold the GPU."""
    if scene.leftovers:
        left = scene.leftovers[0]
        message = f"{left['kind']} {left['metadata']['name']} of another scenario is still there"
        waiting = state.model_copy(update={"reason": reasons.CLEANING_UP, "message": message})
        return Step(waiting, again_after=LOOK_SECONDS)
    if (complaint := _too_many_documents(scene)) is not None:
        return _fail(scene, state, reasons.TOO_MANY_DOCUMENTS, complaint)
    begun = state.model_copy(
        update={"phase": "Preparing", "reason": None, "message": None, "start_time": stamp(scene.now)}
    )
    return Step(begun, again_after=0.0)


def _prepare(scene: Scene, state: ScenarioStatus) -> Step:
    """Bring its reranker up; once it serves, make the Job."""
    if scene.refusal is not None:
        return _fail(scene, state, reasons.REJECTED, f"the cluster refuses what the scenario needs: {scene.refusal}")
    for existing in (scene.job, None if scene.in_place else scene.temporary):
        if existing is not None and (step := _not_ours(scene, state, existing)) is not None:
            return step
    if scene.job is not None:  # an operator before this one made it and did not come to write that down
        return Step(_measuring(scene, state), again_after=MEASURING_LOOK_SECONDS)
    if scene.target is None and (scene.in_place or scene.temporary is None):
        return _fail(scene, state, reasons.TARGET_NOT_FOUND, "the RerankerDeployment to measure has been deleted")
    reranker = scene.target if scene.in_place else scene.temporary
    if reranker is None:
        return _make_temporary(scene, state)
    return _when_it_serves(scene, state, reranker)


def _make_temporary(scene: Scene, state: ScenarioStatus) -> Step:
    assert scene.target is not None  # noqa: S101 - its caller has looked
    reranker = temporary_reranker(scene.run, scene.position, scene.target["spec"])
    waiting = state.model_copy(
        update={
            "reason": reasons.RERANKER_STARTING,
            "message": "its temporary reranker is made",
            "target_generation": scene.target["metadata"]["generation"],
        }
    )
    return Step(waiting, apply=[reranker], again_after=LOOK_SECONDS)


def _when_it_serves(scene: Scene, state: ScenarioStatus, reranker: Object) -> Step:
    since, limit = _start(scene, state), _limit(scene)
    late = scene.now - since >= limit
    if not is_told(reranker, (scene.run.name, scene.name) if scene.in_place else None):
        found: Starting | Hopeless = Starting(reasons.RERANKER_STARTING, "the reranker is told of the scenario")
    else:
        gpu_wait = parse_duration(scene.run.spec.gpu_wait_timeout)
        seen = standing(reranker, scene.server_pods, since, scene.now, gpu_wait)
        if not isinstance(seen, Starting | Hopeless):
            return _late(scene, state, "it was ready too late") if late else _make_job(scene, state, reranker)
        found = seen
    if isinstance(found, Hopeless):
        return _fail(scene, state, found.reason, found.message)
    if late:
        return _late(scene, state, f"its reranker was not ready: {found.message}")
    waiting = state.model_copy(update={"reason": found.reason, "message": found.message})
    return Step(waiting, again_after=LOOK_SECONDS)


def _make_job(scene: Scene, state: ScenarioStatus, reranker: Object) -> Step:
    left = _limit(scene) - (scene.now - _start(scene, state))
    measured = Measured(reranker["metadata"]["name"], reranker["spec"], _image(scene.server_pods))
    job = scenario_job(scene.run, scene.position, measured, max(1, int(left.total_seconds())))
    return Step(_measuring(scene, state), apply=[job], again_after=MEASURING_LOOK_SECONDS)


def _image(pods: Sequence[Object]) -> str | None:
    """The image that the reranker's pods run."""
    containers = (container for pod in pods for container in pod["spec"].get("containers", ()))
    return next((container.get("image") for container in containers if container["name"] == CONTAINER), None)


def _measuring(scene: Scene, state: ScenarioStatus) -> ScenarioStatus:
    file = results_file(scene.run, scene.position)
    job = scene.run.child_name(scene.position)
    claim = scene.run.spec.results.claim_name if scene.run.spec.results is not None else ""
    update: dict[str, Any] = {
        "phase": "Measuring",
        "reason": None,
        "message": None,
        "measuring_time": stamp(scene.now),
        "job": job,
        "raw_results": f"kubectl logs job/{job}" if file is None else f"PersistentVolumeClaim {claim}: {file}",
    }
    if scene.in_place and scene.target is not None:
        update["target_generation"] = scene.target["metadata"]["generation"]
    return state.model_copy(update=update)


def _measure(scene: Scene, state: ScenarioStatus) -> Step:
    """Wait for the Job's end and read what it says."""
    if scene.job is None or not _is_ours(scene, scene.job):
        return _fail(scene, state, reasons.JOB_DELETED, "its Job was deleted before it had ended")
    end = _end_of(scene.job)
    if end is not None:
        return Step(_result(scene, state, end))
    if scene.now - _start(scene, state) >= _limit(scene) + SLACK:
        return _late(scene, state, "its Job did not end", delete=[scene.job])
    since = parse_stamp(state.measuring_time) if state.measuring_time is not None else scene.now
    no_patience_for_gpus = timedelta(0)
    trouble = trouble_of(scene.job_pods, since, scene.now, no_patience_for_gpus, BENCHMARK_CONTAINER)
    if trouble is not None and trouble.reason in _ENDED:
        trouble = None  # the Job's controller is about to say how it ended
    if isinstance(trouble, Hopeless) and trouble.reason != reasons.UNSCHEDULABLE:
        return _fail(scene, state, trouble.reason, f"the benchmark's own pod: {trouble.message}", delete=[scene.job])
    told = f"the benchmark's own pod: {trouble.message}" if trouble is not None else None
    waiting = state.model_copy(update={"reason": trouble.reason if trouble is not None else None, "message": told})
    return Step(waiting, again_after=MEASURING_LOOK_SECONDS)


def _result(scene: Scene, state: ScenarioStatus, end: Mapping[str, Any]) -> ScenarioStatus:
    """The scenario after its Job's end."""
    ended = _container_end(scene.job_pods)
    try:
        summary = read_summary(ended.get("message") or "")
    except SummaryError as error:
        if ended.get("reason") == "OOMKilled":
            message = "the benchmark's own pod needed more memory than its limit (job.resources)"
            return failed(state, OOM_KILLED, message, scene.now)
        if end.get("reason") == "DeadlineExceeded":
            return failed(state, reasons.TIME_LIMIT, f"it was not done within {_limit_words(scene)}", scene.now)
        why = f"{end['message']}: {error}" if end.get("message") else str(error)
        return failed(state, reasons.JOB_FAILED, f"the Job {state.job}: {why}", scene.now)
    state = state.model_copy(
        update={
            "reason": None,
            "message": _remark(scene, state),
            "model": summary.model,
            "samples": summary.samples,
            "errors": summary.errors,
            "sizes_left_out": summary.sizes_left_out or None,
            "results": list(summary.results) or None,
        }
    )
    if (fault := _fault(scene, summary, end)) is not None:
        return failed(state, *fault, scene.now)
    return state.model_copy(update={"phase": "Succeeded", "completion_time": stamp(scene.now)})


def _fault(scene: Scene, summary: Summary, end: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a scenario whose Job gave a summary has failed all the same."""
    wanted = len(scene.run.spec.documents) * scene.run.spec.repeat
    if summary.error is not None:
        return reasons.NOT_MEASURED, summary.error
    if summary.errors:
        return reasons.LOST_SAMPLES, f"{summary.errors} requests were lost, {summary.samples} of {wanted} answered"
    if summary.interrupted and end.get("reason") == "DeadlineExceeded":
        return reasons.TIME_LIMIT, f"it was not done within {_limit_words(scene)}"
    if summary.interrupted or (summary.samples < wanted and not summary.sizes_left_out):
        return reasons.INTERRUPTED, f"it ended after {summary.samples} of {wanted} samples"
    if end["type"] == "Failed":
        return reasons.JOB_FAILED, end.get("message") or "the Job failed"
    return None


def _remark(scene: Scene, state: ScenarioStatus) -> str | None:
    """What must be known beside the figures."""
    generation = scene.target["metadata"]["generation"] if scene.target is not None else None
    if scene.in_place and generation != state.target_generation:
        changed = f"generation {state.target_generation} to {generation}" if generation is not None else "deleted"
        return f"the reranker's spec was changed while it was measured ({changed}): its pods may have been replaced"
    return None


def _container_end(pods: Sequence[Object]) -> Mapping[str, Any]:
    """How the container ended; empty where its pod is gone."""
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            ended = (status.get("state") or {}).get("terminated")
            if status["name"] == BENCHMARK_CONTAINER and ended is not None:
                found: Mapping[str, Any] = ended
                return found
    return {}


def _end_of(job: Object) -> Mapping[str, Any] | None:
    """The condition that says that the Job has ended."""
    conditions: Sequence[Mapping[str, Any]] = (job.get("status") or {}).get("conditions") or ()
    ends = (each for each in conditions if each["type"] in ("Complete", "Failed") and each["status"] == "True")
    return next(ends, None)


def _too_many_documents(scene: Scene) -> str | None:
    if scene.target is None:
        return None
    spec = scene.run.spec
    warmup = [spec.warmup.documents] if spec.warmup.requests else []
    most = max([*spec.documents, *warmup])
    limit = (scene.target["spec"].get("limits") or {}).get("maxDocuments")
    if limit is None or most <= limit:
        return None
    return f"requests of {most} documents are refused: limits.maxDocuments of {spec.deployment_ref.name} is {limit}"


def _is_ours(scene: Scene, existing: Object) -> bool:
    references = existing["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] == scene.run.uid for reference in references)


def _not_ours(scene: Scene, state: ScenarioStatus, existing: Object) -> Step | None:
    """What to do where an object of the scenario's name belongs to someone else; None where it is ours."""
    if _is_ours(scene, existing):
        return None
    kind, name = existing["kind"], existing["metadata"]["name"]
    references = existing["metadata"].get("ownerReferences") or ()
    if any((each["kind"], each["name"]) == (BENCHMARK_KIND, scene.run.name) for each in references):
        message = f"{kind} {name} of an earlier benchmark of this name is still there"
        waiting = state.model_copy(update={"reason": reasons.CLEANING_UP, "message": message})
        return Step(waiting, again_after=LOOK_SECONDS)
    message = f"{kind} {name} is there already; delete it, or give this benchmark another name"
    return _fail(scene, state, reasons.NAME_CONFLICT, message)


def _fail(scene: Scene, state: ScenarioStatus, reason: str, message: str, delete: Sequence[Object] = ()) -> Step:
    return Step(failed(state, reason, message, scene.now), delete=delete)


def _late(scene: Scene, state: ScenarioStatus, what: str, delete: Sequence[Object] = ()) -> Step:
    message = f"it was not done within {_limit_words(scene)}; {what}"
    return _fail(scene, state, reasons.TIME_LIMIT, message, delete)


def _start(scene: Scene, state: ScenarioStatus) -> datetime:
    return parse_stamp(state.start_time) if state.start_time is not None else scene.now


def _limit(scene: Scene) -> timedelta:
    return parse_duration(scene.run.spec.scenario_timeout)


def _limit_words(scene: Scene) -> str:
    return f"{scene.run.spec.scenario_timeout} (scenarioTimeout)"
