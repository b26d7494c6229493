"""The values: each is used, each is explained, and the schema refuses what the templates would ignore."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.chart.readme import with_table
from hack.chart.schema import schema as generated_schema
from hack.chart.values import Value, ValuesError, read

# For each value, another one that the schema accepts and that must change what is installed (or the notes).
OTHER: dict[str, Any] = {
    "nameOverride": "other",
    "fullnameOverride": "other",
    "commonLabels": {"other": "yes"},
    "image.repository": "registry.example/other",
    "image.tag": "other",
    "image.digest": f"sha256:{'a' * 64}",
    "image.pullPolicy": "Always",
    "imagePullSecrets": ["other"],
    "images.gpu": "registry.example/gpu:other",
    "images.cpu": "registry.example/cpu:other",
    "images.bench": "registry.example/bench:other",
    "images.pullPolicy": "Always",
    "images.pullSecrets": ["other"],
    "crds.install": False,
    "crds.keep": False,
    "rbac.create": False,
    "rbac.scope": "namespace",
    "rbac.namespaces": ["other"],
    "rbac.aggregate": False,
    "serviceAccount.create": False,
    "serviceAccount.name": "other",
    "serviceAccount.annotations": {"other": "yes"},
    "logLevel": "DEBUG",
    "logFormat": "text",
    "replicas": 2,
    "podDisruptionBudget.enabled": False,
    "prometheusUrl": "http://other:9090",
    "resyncSeconds": 60,
    "gpuProfiles": {"other": {"dtype": "float32"}},
    "rerankers": {"other": {"spec": {"model": {"name": "other"}}}},
    "metricsService.enabled": False,
    "metricsService.port": 9090,
    "metricsService.annotations": {"other": "yes"},
    "podMonitor.enabled": True,
    "podMonitor.perReranker": True,
    "podMonitor.interval": "1m",
    "podMonitor.labels": {"other": "yes"},
    "serviceMonitor.enabled": True,
    "serviceMonitor.interval": "1m",
    "serviceMonitor.labels": {"other": "yes"},
    "prometheusRule.enabled": True,
    "prometheusRule.labels": {"other": "yes"},
    "prometheusRule.alertLabels": {"other": "yes"},
    "prometheusRule.runbookUrl": "https://other.example",
    "prometheusRule.objectives.availability": 0.9,
    "prometheusRule.objectives.latency": 0.9,
    "prometheusRule.objectives.latencySeconds": 0.5,
    "dashboards.enabled": True,
    "dashboards.namespace": "other",
    "dashboards.labels": {"other": "yes"},
    "dashboards.annotations": {"other": "yes"},
    "networkPolicy.enabled": True,
    "networkPolicy.metricsFrom": [{"podSelector": {}}],
    "networkPolicy.prometheus": [{"podSelector": {}}],
    "networkPolicy.apiServerPorts": [16443],
    "test.urls": ["http://other:8000"],
    "test.apiKeySecretRef.name": "other",
    "test.apiKeySecretRef.key": "other",
    "test.timeoutSeconds": 5,
    "resources": {"limits": {"cpu": 2}},
    "podSecurityContext": {"fsGroup": 5},
    "securityContext": {"privileged": False},
    "extraEnv": [{"name": "OTHER", "value": "yes"}],
    "nodeSelector": {"other": "yes"},
    "tolerations": [{"key": "other", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "other", "whenUnsatisfiable": "DoNotSchedule"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "priorityClassName": "other",
    "podAnnotations": {"other": "yes"},
    "podLabels": {"other": "yes"},
}
# What else has to be set for a value to matter, or to be accepted.
TOGETHER: dict[str, dict[str, Any]] = {
    "podDisruptionBudget.enabled": {"replicas": 2},
    "topologySpreadConstraints": {"replicas": 2},
    **{
        path: {"prometheusRule": {"enabled": True}}
        for path in OTHER
        if path.startswith("prometheusRule.") and path != "prometheusRule.enabled"
    },
    **{
        path: {"dashboards": {"enabled": True}}
        for path in OTHER
        if path.startswith("dashboards.") and path != "dashboards.enabled"
    },
    "rbac.scope": {"rbac": {"namespaces": ["other"]}},
    "rbac.namespaces": {"rbac": {"scope": "namespace"}},
    "podMonitor.interval": {"podMonitor": {"enabled": True}},
    "podMonitor.labels": {"podMonitor": {"enabled": True}},
    "serviceMonitor.interval": {"serviceMonitor": {"enabled": True}},
    "serviceMonitor.labels": {"serviceMonitor": {"enabled": True}},
    "networkPolicy.metricsFrom": {"networkPolicy": {"enabled": True}},
    "networkPolicy.apiServerPorts": {"networkPolicy": {"enabled": True}},
    "test.apiKeySecretRef.key": {"test": {"apiKeySecretRef": {"name": "other"}}},
}
# With the condition alone these are refused.
NOT_ALONE = {"rbac.scope", "rbac.namespaces"}


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Values merged as Helm merges them."""
    return below | {
        key: laid_over(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }


def paths(values: tuple[Value, ...]) -> list[str]:
    """The dotted paths of all values, down to those that the templates take whole."""
    return [leaf.path for value in values for leaf in value.leaves()]


@pytest.fixture(scope="module")
def explained(chart: Path) -> tuple[Value, ...]:
    return read(chart / "values.yaml")


def test_every_value_is_in_this_files_table(explained: tuple[Value, ...]) -> None:
    assert set(paths(explained)) == set(OTHER)


@pytest.mark.parametrize("path", OTHER)
def test_every_value_changes_what_is_installed_or_said(helm: Any, with_value: Any, path: str) -> None:
    condition = TOGETHER.get(path, {})
    values = laid_over(condition, with_value(path, OTHER[path]))
    before = None if path in NOT_ALONE else condition
    changed = helm.template(values, hooks=True)
    assert changed.returncode == 0, changed.stderr
    assert helm.template(before, hooks=True).stdout != changed.stdout or helm.notes(before) != helm.notes(values)


def test_every_value_that_a_template_reads_exists(chart: Path, explained: tuple[Value, ...]) -> None:
    known = set(paths(explained))
    for path in list(known):
        while path := path.rpartition(".")[0]:
            known.add(path)
    used = {
        match
        for template in (chart / "templates").rglob("*.*")
        for match in re.findall(r"\.Values\.([A-Za-z.]+[A-Za-z])", template.read_text())
    }
    assert used
    assert used <= known


@pytest.mark.parametrize("page", ["README.md", "docs/install.md", "charts/reranker-operator/README.md"])
def test_what_the_pages_tell_people_to_set_exists(page: str, chart: Path, explained: tuple[Value, ...]) -> None:
    known, groups = set(paths(explained)), {value.key for value in explained}
    named = set(re.findall(r"([A-Za-z]+(?:\.[A-Za-z]+)+)=", (chart.parents[1] / page).read_text()))
    told = {path for path in named if path.partition(".")[0] in groups}
    assert told
    # A key below a value that the templates take whole is the user's own.
    unknown = {path for path in told - known if not any(path.startswith(f"{above}.") for above in known)}
    assert unknown == set()


def test_a_value_without_an_explanation_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("# Said.\nsaid: 1\nunsaid:\n  # Said.\n  inner: 2\n")
    with pytest.raises(ValuesError, match=r"values\.yaml:3: unsaid has no comment right above it"):
        read(file)


def test_schema_and_readme_are_what_the_comments_say(chart: Path, schema: Any, explained: tuple[Value, ...]) -> None:
    assert schema == generated_schema(chart.name, explained), "run hack/generate"
    readme = (chart / "README.md").read_text()
    assert readme == with_table(readme, explained), "run hack/generate"


def test_the_readme_explains_every_value(chart: Path, explained: tuple[Value, ...]) -> None:
    readme = (chart / "README.md").read_text()
    assert [path for path in paths(explained) if f"| `{path}` |" not in readme] == []


def test_no_object_of_the_schema_takes_unknown_keys(schema: Any) -> None:
    # `global` is Helm's; what these others hold the API server checks.
    free = {"global", "nodeAffinity", "podAffinity", "podAntiAffinity"}
    free_whole = {"kubernetesObject", "kubernetesObjects", "environment", "rerankers"}

    def loose(node: Any, name: str = "") -> Iterator[str]:
        if isinstance(node, dict):
            if node.get("type") == "object" and name not in free and "additionalProperties" not in node:
                yield name
            if node.get("additionalProperties") is True:
                yield name
            for key, child in node.items():
                if key not in free_whole:
                    yield from loose(child, key)
        elif isinstance(node, list):
            for child in node:
                yield from loose(child, name)

    assert list(loose(schema)) == []


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("imge.repository", "x", "imge"),
        ("image.tagg", "x", "tagg"),
        ("image.tag", 1.5, "/image/tag"),
        ("image.tag", "a b", "/image/tag"),
        ("image.repository", "", "/image/repository"),
        ("image.pullPolicy", "Sometimes", "/image/pullPolicy"),
        ("imagePullSecrets", [{"name": "x"}], "/imagePullSecrets/0"),
        ("images.service", "x", "service"),
        ("crds.install", "yes", "/crds/install"),
        ("rbac.scope", "everywhere", "/rbac/scope"),
        ("rbac.namespaces", "team-a", "/rbac/namespaces"),
        ("rbac.namespaces", ["Team_A"], "/rbac/namespaces/0"),
        ("resyncSeconds", 0, "/resyncSeconds"),
        ("resyncSeconds", "300", "/resyncSeconds"),
        ("logLevel", "TRACE", "/logLevel"),
        ("image.digest", "sha256:abc", "/image/digest"),
        ("commonLabels.number", 1, "/commonLabels/number"),
        ("rerankers.a", {"namespace": "b"}, "spec"),
        ("rerankers.Upper", {"spec": {}}, "Upper"),
        ("prometheusRule.objectives.latencySeconds", 0.6, "/prometheusRule/objectives/latencySeconds"),
        ("prometheusRule.objectives.availability", 99.9, "/prometheusRule/objectives/availability"),
        ("prometheusRule.runbookUrl", "docs/", "/prometheusRule/runbookUrl"),
        ("podMonitor.interval", "often", "/podMonitor/interval"),
        ("networkPolicy.apiServerPorts", [], "/networkPolicy/apiServerPorts"),
        ("test.urls", ["products:8000"], "/test/urls/0"),
        ("extraEnv", [{"value": "x"}], "name"),
        ("gpuProfiles.l4.memory", 24, "memory"),
        ("gpuProfiles.l4.memoryGiB", "24Gi", "/gpuProfiles/l4/memoryGiB"),
        ("gpuProfiles.l4.computeCapability", 8.9, "/gpuProfiles/l4/computeCapability"),
        ("gpuProfiles.l4.dtype", "int8", "/gpuProfiles/l4/dtype"),
        ("gpuProfiles.l4.tolerations", [{"kye": "x"}], "kye"),
        ("gpuProfiles.L4", {"dtype": "auto"}, "L4"),
        ("metricsService.port", 99999, "/metricsService/port"),
        ("resources.requets", {"cpu": 1}, "requets"),
        ("resources.limits.cpu", True, "/resources/limits/cpu"),
        ("affinity.nodeAfinity", {}, "nodeAfinity"),
        ("podLabels.number", 1, "/podLabels/number"),
        ("tolerations", [{"effect": "Never"}], "/tolerations/0/effect"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm: Any, with_value: Any, path: str, value: Any, named: str) -> None:
    done = helm.template(with_value(path, value))
    assert done.returncode != 0
    assert named in done.stderr


def test_the_chart_may_be_a_subchart(helm: Any, with_value: Any) -> None:
    # Helm hands `global` to every subchart, asked for or not.
    assert helm.template(with_value("global.region", "eu")).returncode == 0
