"""From the scenarios of a benchmark to its status: phase, counts, the best one, conditions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reranker_operator import benchmark_reasons as reasons
from reranker_operator.api.benchmark_status import Phase, ScenarioStatus
from reranker_operator.benchmark_overlay import ENDED
from reranker_operator.benchmark_results import best_of

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Now:
    """What happens in a benchmark that goes on."""

    reason: str
    message: str


@dataclass(frozen=True)
class Turn:
    """Something in a benchmark that an Event tells of."""

    type: str
    reason: str
    message: str

    @property
    def is_warning(self) -> bool:
        """Whether someone may want to act."""
        return self.reason != reasons.COMPLETED and self.reason not in reasons.WAITING


def stamp(moment: datetime) -> str:
    """A moment as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_stamp(text: str) -> datetime:
    """A moment as Kubernetes wrote it."""
    return datetime.fromisoformat(text)


def compute_status(
    resource: Object, scenarios: Sequence[ScenarioStatus], now: Now | None, moment: datetime, samples_wanted: int
) -> dict[str, Any]:
    """The status to write; `now` is None when all scenarios have ended."""
    before: Object = resource.get("status") or {}
    ended = [scenario for scenario in scenarios if scenario.phase in ENDED]
    begun = [scenario.start_time for scenario in scenarios if scenario.start_time is not None]
    best = best_of(scenarios)
    phase = _phase(scenarios, now, begun=bool(begun))
    status: dict[str, Any] = {
        "observedGeneration": resource["metadata"]["generation"],
        "phase": phase,
        "done": f"{len(ended)}/{len(scenarios)}",
        "samples": f"{sum(scenario.samples or 0 for scenario in scenarios)}/{samples_wanted}",
        "scenarios": [scenario.as_object() for scenario in scenarios],
    }
    if begun:
        status["startTime"] = begun[0]
    if now is None:
        status["completionTime"] = before.get("completionTime", stamp(moment))
    if best is not None:
        status["best"] = best.as_object()
    status["conditions"] = [
        _condition(kind, state, resource, moment) for kind, state in _states(scenarios, now, phase).items()
    ]
    return status


def turns(before: Object | None, after: Object) -> list[Turn]:
    """What turned between two statuses: Finished, which says all that Succeeded says, and scenarios that failed."""
    old = {condition["type"]: condition for condition in (before or {}).get("conditions") or ()}
    turned = [
        Turn(new["type"], new["reason"], new["message"])
        for new in after["conditions"]
        if new["type"] == "Finished" and new["reason"] != old.get("Finished", {}).get("reason")
    ]
    past: Sequence[Object] = (before or {}).get("scenarios") or ()
    for position, scenario in enumerate(after["scenarios"]):
        was = past[position]["phase"] if position < len(past) else "Pending"
        if scenario["phase"] == "Failed" and was != "Failed":
            name = f"{scenario['backend']}/{scenario['instructionFormat']}"
            turned.append(Turn("Scenario", scenario["reason"], f"{name} failed: {scenario['message']}"))
    return turned


def _phase(scenarios: Sequence[ScenarioStatus], now: Now | None, *, begun: bool) -> Phase:
    if now is not None:
        return "Running" if begun else "Pending"
    succeeded = bool(scenarios) and all(scenario.phase == "Succeeded" for scenario in scenarios)
    return "Succeeded" if succeeded else "Failed"


def _states(scenarios: Sequence[ScenarioStatus], now: Now | None, phase: Phase) -> dict[str, tuple[str, str, str]]:
    """Status, reason and message of each condition."""
    if now is not None:
        return {
            "Finished": ("False", now.reason, now.message),
            "Succeeded": ("Unknown", now.reason, "it has not finished yet"),
        }
    if phase == "Succeeded":
        message = f"all {len(scenarios)} scenarios gave all their samples"
        return dict.fromkeys(("Finished", "Succeeded"), ("True", reasons.COMPLETED, message))
    failed = [scenario for scenario in scenarios if scenario.phase == "Failed"]
    listed = "; ".join(
        f"{scenario.backend}/{scenario.instruction_format}: {scenario.reason}: {scenario.message}"
        for scenario in failed
    )
    message = f"{len(failed)} of {len(scenarios)} scenarios failed: {listed}"[:4096]
    return {
        "Finished": ("True", reasons.SCENARIOS_FAILED, message),
        "Succeeded": ("False", reasons.SCENARIOS_FAILED, message),
    }


def _condition(kind: str, state: tuple[str, str, str], resource: Object, moment: datetime) -> dict[str, Any]:
    status, reason, message = state
    old = {entry["type"]: entry for entry in (resource.get("status") or {}).get("conditions") or ()}.get(kind)
    unchanged = old is not None and old["status"] == status
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": resource["metadata"]["generation"],
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and unchanged else stamp(moment),
    }
