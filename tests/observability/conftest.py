"""The rules as the chart renders them, and promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.chart.helm import find_helm
from hack.observability.binaries import find

CHART = Path(__file__).resolve().parents[2] / "charts" / "reranker-operator"


@pytest.fixture(scope="session")
def rule_groups() -> Any:
    """What the PrometheusRule holds with the chart's defaults."""
    command = (find_helm(), "template", "reranker-operator", str(CHART), "--set", "prometheusRule.enabled=true")
    done = subprocess.run(
        (*command, "-s", "templates/prometheusrule.yaml"), capture_output=True, text=True, timeout=60, check=True
    )
    return yaml.safe_load(done.stdout)["spec"]["groups"]


@pytest.fixture(scope="session")
def rules_folder(rule_groups: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rules.yaml in it."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": rule_groups}, sort_keys=False))
    return folder


@pytest.fixture(scope="session")
def promtool() -> Path:
    return find("promtool")
