"""Helm's operations on releases of the operator's chart, timed, each with what it did to the rerankers' pods."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hack.demo.shell import ROOT, Shell, StepError
from hack.demo.up import RELEASE, SYSTEM_NAMESPACE
from hack.release.traffic import reranker_pods

TIMEOUT = "120s"


@dataclass(frozen=True)
class Step:
    """One operation as it was seen."""

    helm: str
    what: str
    seconds: float
    untouched: bool
    """The reranker's pods are the same ones, and none restarted."""
    refused: str = ""
    """What Helm said where it refused, as was expected."""

    def as_json(self) -> dict[str, Any]:
        """For the file of results."""
        return asdict(self)


class Helm:
    """One Helm, v3 or v4, that works on releases in the cluster of a shell."""

    def __init__(self, shell: Shell, program: Path) -> None:
        self.shell = shell
        self.program = str(program)
        found = re.search(r"v\d+\.\d+\.\d+", shell.output(self.program, "version", "--short"))
        self.version = found[0] if found else "of unknown version"

    def step(self, what: str, *arguments: str) -> Step:
        """Do it, wait until the operator is ready, and look at the reranker's pods."""
        before, started = reranker_pods(self.shell), time.monotonic()
        self.shell.run(self.program, *arguments)
        seconds = time.monotonic() - started
        return Step(self.version, what, round(seconds, 1), reranker_pods(self.shell) == before)

    def refused(self, what: str, *arguments: str) -> Step:
        """An operation that Helm must refuse; a `StepError` when it goes through."""
        before, started = reranker_pods(self.shell), time.monotonic()
        done = subprocess.run(
            [self.program, *arguments],
            cwd=ROOT,
            env=self.shell.environment,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            raise StepError(f"helm {self.version} was to refuse: {what}")
        [*_, reason] = [line for line in done.stderr.splitlines() if line.strip()] or ["nothing was said"]
        seconds = round(time.monotonic() - started, 1)
        return Step(self.version, what, seconds, reranker_pods(self.shell) == before, reason.strip())


def place(namespace: str = SYSTEM_NAMESPACE) -> tuple[str, ...]:
    """The arguments of an operation that changes a release and waits for it."""
    return ("--namespace", namespace, "--wait", "--timeout", TIMEOUT)


def values(images: dict[str, str], operator: str) -> tuple[str, ...]:
    """The values that name the images; `operator` is the operator's own."""
    repository, _, tag = operator.rpartition(":")
    chosen = f"image.repository={repository},image.tag={tag},images.cpu={images['service-cpu']}"
    return ("--set-string", chosen)


def matrix(helm: Helm, chart: Path, chosen: tuple[str, ...]) -> list[Step]:
    """Install, upgrade, roll back and uninstall; the reranker was there before and is there after."""
    steps = [
        helm.step("install", "install", RELEASE, str(chart), *place(), *chosen),
        helm.step("upgrade", "upgrade", RELEASE, str(chart), *place(), *chosen, "--set", "logLevel=DEBUG"),
        helm.step("rollback to 1", "rollback", RELEASE, "1", *place()),
    ]
    if helm.version.startswith("v4"):
        steps += conflict(helm, chart, chosen)
    return [*steps, helm.step("uninstall", "uninstall", RELEASE, *place())]


def conflict(helm: Helm, chart: Path, chosen: tuple[str, ...]) -> list[Step]:
    """Helm 4 applies server-side: what another client owns meanwhile it doesn't take without being told to."""
    helm.shell.run("kubectl", "-n", SYSTEM_NAMESPACE, "scale", f"deployment/{RELEASE}", "--replicas=2")
    upgrade = ("upgrade", RELEASE, str(chart), *place(), *chosen)
    return [
        helm.refused("upgrade after kubectl scale", *upgrade),
        helm.step("the same with --force-conflicts", *upgrade, "--force-conflicts"),
    ]
