"""The real helm renders the real chart; the tests look at the objects that come out."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.chart.helm import find_helm

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "reranker-operator"
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """The objects of one rendering, in order."""

    objects: list[Manifest]

    def all(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.objects if manifest["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Manifest:
        (manifest,) = (each for each in self.all(kind) if name is None or each["metadata"]["name"] == name)
        return manifest

    @property
    def pod(self) -> Manifest:
        template: Manifest = self.one("Deployment")["spec"]["template"]
        return template

    @property
    def container(self) -> Manifest:
        (container,) = self.pod["spec"]["containers"]
        found: Manifest = container
        return found

    @property
    def config(self) -> Manifest:
        content: Manifest = yaml.safe_load(self.one("ConfigMap")["data"]["config.yaml"])
        return content


class Helm:
    """The helm binary: that of the local cluster's tools, else the one on PATH."""

    def __init__(self, scratch: Path) -> None:
        self._program = find_helm()
        self._scratch = scratch
        self._done: dict[tuple[str, ...], subprocess.CompletedProcess[str]] = {}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it, or give what came out when it was run with the same arguments: a chart renders the same each time."""
        if arguments not in self._done:
            command = (self._program, *arguments)
            self._done[arguments] = subprocess.run(
                command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
            )
        return self._done[arguments]

    def template(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        release: str = "reranker-operator",
        namespace: str = "system",
        knows_crds: bool = True,
        hooks: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Render for a cluster that has the CRDs already or not, with what `helm test` runs or without."""
        cluster = ("--api-versions", "reranker.dev/v1alpha1") if knows_crds else ()
        more = () if hooks else ("--skip-tests",)
        chosen = ("--namespace", namespace, *cluster, *more, *self.values(values))
        return self.run("template", release, str(CHART), *chosen)

    def render(self, values: Mapping[str, Any] | None = None, **how: Any) -> Rendered:
        done = self.template(values, **how)
        assert done.returncode == 0, done.stderr
        return Rendered([manifest for manifest in yaml.safe_load_all(done.stdout) if manifest])

    def notes(self, values: Mapping[str, Any] | None = None) -> str:
        """What a user reads after an installation."""
        where = ("--namespace", "system", "--dry-run=client")
        done = self.run("install", "reranker-operator", str(CHART), *where, *self.values(values))
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("\nNOTES:\n")[2]

    def values(self, values: Mapping[str, Any] | None) -> tuple[str, ...]:
        if values is None:
            return ()
        content = json.dumps(values, sort_keys=True)
        file = self._scratch / f"values-{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"
        file.write_text(content)
        return ("--values", str(file))


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tmp_path_factory.mktemp("values"))


@pytest.fixture(scope="session")
def defaults(helm: Helm) -> Rendered:
    """The chart with no value set."""
    return helm.render()


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(scope="session")
def default_values() -> Manifest:
    values: Manifest = yaml.safe_load((CHART / "values.yaml").read_text())
    return values


@pytest.fixture(scope="session")
def schema() -> Manifest:
    content: Manifest = json.loads((CHART / "values.schema.json").read_text())
    return content


@pytest.fixture(scope="session")
def with_value() -> Callable[[str, Any], Manifest]:
    """Values with one set, by its dotted path."""

    def nest(path: str, value: Any) -> Manifest:
        for key in reversed(path.split(".")):
            value = {key: value}
        nested: Manifest = value
        return nested

    return nest
