"""All scenarios of one host, one after another: patch the configuration, restart, wait for the wanted pair, measure.

A scenario that fails is recorded and the next one runs: after an hour nobody wants to find that the first of four ended
everything. The configuration file is put back as it was, whatever happens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from reranker_bench.files import replace_text
from reranker_bench.health import NotReadyError, wait_until_ready
from reranker_bench.patching import PatchError, patch
from reranker_bench.results import Results
from reranker_bench.scenarios import Scenario, scenario_values
from reranker_bench.supervising import ServiceError, Supervisor


class Outcome(BaseModel):
    """What became of one scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    instruction_format: str
    status: Literal["measured", "lost_samples", "interrupted", "failed", "not_run"]
    samples: int = 0
    lost: int = 0
    file: str | None = None
    """The results, beside this summary."""
    error: str | None = None
    seconds_to_ready: float | None = None
    """From the restart until `/health` showed the wanted pair."""


class Summary(BaseModel):
    """What became of all of them: `matrix.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    kind: Literal["reranker-bench/matrix"] = "reranker-bench/matrix"
    outcomes: tuple[Outcome, ...]

    @property
    def interrupted(self) -> bool:
        """Ended before its time."""
        return any(outcome.status in {"interrupted", "not_run"} for outcome in self.outcomes)


@dataclass(frozen=True)
class Host:
    """Where the service runs and how it is changed."""

    config: Path
    url: str
    supervisor: Supervisor
    ready_s: float
    """A scenario has so long from the restart until it shows itself ready."""
    restart_after: bool
    """Restart once more at the end, with the configuration as it was before."""


Measure = Callable[[dict[str, Any]], Results]


def run_matrix(
    host: Host, scenarios: Sequence[Scenario], folder: Path, measure: Measure, say: Callable[[str], None]
) -> tuple[Summary, list[Results]]:
    """Measure all scenarios; results, logs and `matrix.json` are written into `folder` as they come.

    Raises:
        PatchError: if the configuration can't be made to be one of the scenarios; nothing has been touched then.
        OSError: if it can't be read or written.
    """
    before = host.config.read_bytes()
    patched = [_patched(before, scenario) for scenario in scenarios]
    measured: list[Results] = []
    outcomes: list[Outcome] = []
    try:
        for scenario, config in zip(scenarios, patched, strict=True):
            say(f"scenario {len(outcomes) + 1} of {len(scenarios)}: {scenario.backend}, {scenario.instruction_format}")
            outcome, results = _run_one(host, scenario, config, folder, measure)
            outcomes.append(outcome)
            measured += [results] if results else []
            _write(outcomes, scenarios, folder)
            if outcome.error:
                say(f"{scenario.name}: {outcome.status}: {outcome.error}")
            if outcome.status == "interrupted":
                break
    finally:
        try:
            replace_text(host.config, before)
        finally:
            host.supervisor.stop()
    if host.restart_after:
        _restart_as_before(host, folder, say)
    return _write(outcomes, scenarios, folder), measured


def _run_one(
    host: Host, scenario: Scenario, config: bytes, folder: Path, measure: Measure
) -> tuple[Outcome, Results | None]:
    outcome = Outcome(backend=scenario.backend, instruction_format=scenario.instruction_format, status="failed")
    try:
        started = time.monotonic()
        replace_text(host.config, config)
        host.supervisor.restart(folder / f"{scenario.name}.log")
        health = wait_until_ready(
            host.url,
            wait_s=host.ready_s,
            backend=scenario.backend,
            instruction_format=scenario.instruction_format,
            on_poll=lambda _: host.supervisor.check(),
        )
        ready_s = round(time.monotonic() - started, 1)
        results = measure(health)
    except (NotReadyError, ServiceError, OSError) as error:
        return outcome.model_copy(update={"error": str(error)}), None
    except KeyboardInterrupt:
        return outcome.model_copy(update={"status": "interrupted", "error": "interrupted before it was ready"}), None
    file = folder / f"{scenario.name}.json"
    results.write(file)
    facts = {"samples": results.samples, "lost": results.lost, "file": file.name, "seconds_to_ready": ready_s}
    status = "interrupted" if results.interrupted else "lost_samples" if results.lost else "measured"
    return outcome.model_copy(update={"status": status, **facts}), results


def _patched(config: bytes, scenario: Scenario) -> bytes:
    try:
        text = config.decode()
    except UnicodeDecodeError as error:
        raise PatchError(f"is not UTF-8: {error.reason} at byte {error.start}") from error
    return patch(text, scenario_values(text, scenario.backend, scenario.instruction_format)).encode()


def _restart_as_before(host: Host, folder: Path, say: Callable[[str], None]) -> None:
    try:
        host.supervisor.restart(folder / "restart-as-before.log")
    except ServiceError as error:
        say(f"the service could not be restarted with its own configuration: {error}")


def _write(outcomes: Sequence[Outcome], scenarios: Sequence[Scenario], folder: Path) -> Summary:
    rest = [
        Outcome(backend=scenario.backend, instruction_format=scenario.instruction_format, status="not_run")
        for scenario in scenarios[len(outcomes) :]
    ]
    summary = Summary(outcomes=(*outcomes, *rest))
    replace_text(folder / "matrix.json", (summary.model_dump_json(indent=2) + "\n").encode())
    return summary
