"""Whole installations: those in ci/, against the schemas of the Kubernetes versions that are supported."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "reranker-operator"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
GOLDEN = Path(__file__).with_name("golden") / "default.yaml"
# Kinds of others, whose schemas Kubernetes doesn't have, and ours, which its own definition checks.
FOREIGN = {"monitoring.coreos.com/v1", "reranker.dev/v1alpha1"}


@pytest.fixture(params=CASES, ids=lambda path: path.name.removesuffix("-values.yaml"), scope="module")
def case(request: pytest.FixtureRequest) -> Any:
    return yaml.safe_load(request.param.read_text())


def test_there_are_installations_to_look_at() -> None:
    assert len(CASES) >= 5


def test_each_installation_passes_lint(helm: Any, case: Any) -> None:
    done = helm.run("lint", "--strict", str(CHART), *helm.values(case))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["1.34", "1.35", "1.36", "1.37"])
def test_kubernetes_knows_every_field_of_each_installation(helm: Any, case: Any, version: str) -> None:
    checked = 0
    for manifest in helm.render(case, hooks=True).objects:
        if manifest["apiVersion"] not in FOREIGN:
            # The newest schema that is no newer than the version: it must be that version's own.
            assert kubernetes_validate.validate(manifest, version, strict=True) == version
            checked += 1
    assert checked >= 5


def test_an_unknown_field_would_be_noticed(defaults: Any) -> None:
    deployment = defaults.one("Deployment") | {"speck": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="speck"):
        kubernetes_validate.validate(deployment, "1.37", strict=True)


def test_rerankers_that_come_along_are_what_their_definition_allows(helm: Any, case: Any) -> None:
    definition = yaml.safe_load((CHART / "files/crds/reranker.dev_rerankerdeployments.yaml").read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rerankers = helm.render(case).all("RerankerDeployment")
    assert {each["metadata"]["name"] for each in rerankers} == case.get("rerankers", {}).keys()
    for reranker in rerankers:
        jsonschema.validate(reranker, schema)


def test_no_name_is_longer_than_kubernetes_allows(helm: Any, case: Any) -> None:
    # The longest release name that Helm takes.
    for manifest in helm.render(case, release="r" * 53, namespace="n" * 63, hooks=True).objects:
        name = manifest["metadata"]["name"]
        long = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "CustomResourceDefinition", "ConfigMap"}
        assert len(name) <= (253 if manifest["kind"] in long else 63)
        for value in strings_of_labels(manifest):
            assert len(value) <= 63


def strings_of_labels(manifest: Any) -> Iterator[str]:
    yield from manifest["metadata"].get("labels", {}).values()


def test_two_releases_side_by_side_share_no_object(helm: Any) -> None:
    def names(namespace: str, **values: Any) -> set[tuple[str, str, str]]:
        switches = ("podMonitor", "serviceMonitor", "prometheusRule", "dashboards", "networkPolicy")
        everything = {name: {"enabled": True} for name in switches} | values
        everything["dashboards"] = {"enabled": True, "namespace": "grafana"}
        return {
            (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"])
            for each in helm.render(everything, namespace=namespace, hooks=True).objects
        }

    assert names("one") & names("two", crds={"install": False}) == set()


def test_the_default_rendering_changed_only_if_that_was_meant(helm: Any) -> None:
    """With UPDATE_GOLDEN=1 the file is written anew; the commit's diff then shows what an upgrade will change."""
    rendered = helm.template({"crds": {"install": False}}, hooks=True).stdout
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(rendered)
    difference = difflib.unified_diff(
        GOLDEN.read_text().splitlines(), rendered.splitlines(), "golden", "rendered", lineterm=""
    )
    assert list(difference) == [], "if it is meant: UPDATE_GOLDEN=1 pytest tests/chart -k default_rendering"
