"""The values: each is used, each is explained, and the schema refuses what the templates would ignore."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# For each value, another one that the schema accepts and that must change what is installed (or the notes).
OTHER: dict[str, Any] = {
    "nameOverride": "other",
    "fullnameOverride": "other",
    "image.repository": "registry.example/other",
    "image.tag": "other",
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
    "serviceAccount.create": False,
    "serviceAccount.name": "other",
    "serviceAccount.annotations": {"other": "yes"},
    "logLevel": "DEBUG",
    "resyncSeconds": 60,
    "gpuProfiles": {"other": {"dtype": "float32"}},
    "metricsService.enabled": False,
    "metricsService.port": 9090,
    "metricsService.annotations": {"other": "yes"},
    "resources": {"limits": {"cpu": 2}},
    "nodeSelector": {"other": "yes"},
    "tolerations": [{"key": "other", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "priorityClassName": "other",
    "podAnnotations": {"other": "yes"},
    "podLabels": {"other": "yes"},
}
# Values that the templates take whole, whose keys are for the user to choose.
WHOLE = {path for path, value in OTHER.items() if isinstance(value, dict | list)}
# Neither is accepted without the other.
TOGETHER: dict[str, dict[str, dict[str, Any]]] = {
    "rbac.scope": {"rbac": {"namespaces": ["other"]}},
    "rbac.namespaces": {"rbac": {"scope": "namespace"}},
}


def paths(values: dict[str, Any], above: str = "") -> Iterator[str]:
    """The dotted paths of all values, down to those that are taken whole."""
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and path not in WHOLE:
            yield from paths(value, f"{path}.")
        else:
            yield path


def test_every_value_is_in_this_files_table(default_values: Any) -> None:
    assert set(paths(default_values)) == set(OTHER)


@pytest.mark.parametrize("path", OTHER)
def test_every_value_changes_what_is_installed_or_said(helm: Any, with_value: Any, path: str) -> None:
    values = with_value(path, OTHER[path])
    if path in TOGETHER:
        for key, more in TOGETHER[path].items():
            values[key] |= more
    manifests = (helm.template().stdout, helm.template(values).stdout)
    assert manifests[1]
    assert manifests[0] != manifests[1] or helm.notes() != helm.notes(values)


def test_every_value_that_a_template_reads_exists(chart: Path, default_values: Any) -> None:
    known = set(paths(default_values))
    known |= {path.rpartition(".")[0] for path in known} - {""}
    read = {
        match
        for template in (chart / "templates").iterdir()
        for match in re.findall(r"\.Values\.([A-Za-z.]+[A-Za-z])", template.read_text())
    }
    assert read
    assert read <= known


def test_every_value_is_explained_where_it_stands(chart: Path) -> None:
    lines = (chart / "values.yaml").read_text().splitlines()
    unexplained = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"^(  )?[A-Za-z]+:", line) and not before.strip().startswith("#") and not inside_whole(lines, line)
    ]
    assert unexplained == []


def inside_whole(lines: list[str], line: str) -> bool:
    """Whether the line is a key of a value that is explained and taken as a whole."""
    above = [text.partition(":")[0] for text in lines[: lines.index(line)] if re.match(r"^[A-Za-z]+:", text)]
    return line.startswith("  ") and bool(above) and above[-1] in WHOLE


def test_the_schema_has_exactly_the_values_that_there_are(schema: Any, default_values: Any) -> None:
    def keys(node: Any, above: str = "") -> Iterator[str]:
        for key, child in node.get("properties", {}).items():
            path = f"{above}{key}"
            if child.get("properties") and path not in WHOLE:
                yield from keys(child, f"{path}.")
            else:
                yield path

    assert set(keys(schema)) - {"global"} == set(paths(default_values))


def test_no_object_of_the_schema_takes_unknown_keys(schema: Any) -> None:
    # `global` is Helm's, and under affinity Kubernetes itself checks the keys.
    free = {"global", "nodeAffinity", "podAffinity", "podAntiAffinity"}

    def loose(node: Any, name: str = "") -> Iterator[str]:
        if isinstance(node, dict):
            if node.get("type") == "object" and name not in free and "additionalProperties" not in node:
                yield name
            if node.get("additionalProperties") is True:
                yield name
            for key, child in node.items():
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
        ("replicas", 2, "replicas"),
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
