"""The rules: promtool's own checks, and what each alert says in given situations."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.observability import rules
from hack.observability.__main__ import FILES
from reranker_operator import reasons

CASES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"


@pytest.fixture(scope="module")
def alerts(rule_groups: Any) -> list[Any]:
    return [rule for group in rule_groups for rule in group["rules"] if "alert" in rule]


def test_the_file_in_the_chart_is_what_the_code_says() -> None:
    assert yaml.safe_load((FILES / "rules.yaml").read_text()) == rules.groups(), "run hack/generate"


def test_promtool_has_nothing_to_say(promtool: Path, rules_folder: Path) -> None:
    command = (str(promtool), "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
    done = subprocess.run(command, cwd=rules_folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_alerts_do_what_they_promise(case: Path, promtool: Path, rules_folder: Path) -> None:
    shutil.copy(case, rules_folder)
    command = (str(promtool), "test", "rules", case.name)
    done = subprocess.run(command, cwd=rules_folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_was_seen_firing_and_quiet(alerts: list[Any]) -> None:
    firing, quiet = set(), set()
    for case in CASES:
        for test in yaml.safe_load(case.read_text())["tests"]:
            for expectation in test["alert_rule_test"]:
                (firing if expectation["exp_alerts"] else quiet).add(expectation["alertname"])
    names = {alert["alert"] for alert in alerts}
    assert firing == names
    assert quiet == names


def test_every_alert_has_its_page_and_every_page_its_alert(alerts: list[Any]) -> None:
    names = {alert["alert"] for alert in alerts}
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == names
    overview = (RUNBOOKS / "README.md").read_text()
    for alert in alerts:
        assert alert["annotations"]["runbook"] == f"docs/runbooks/{alert['alert']}.md"
        page = (RUNBOOKS / f"{alert['alert']}.md").read_text()
        assert alert["labels"]["severity"] in page
        for heading in ("## What it says", "## Who notices", "## Look", "## Mend"):
            assert heading in page
        assert f"({alert['alert']}.md)" in overview


def test_fields_that_the_pages_name_are_in_the_definition() -> None:
    definition = yaml.safe_load((RUNBOOKS.parents[1] / "crds" / "reranker.dev_rerankerdeployments.yaml").read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    named = {
        path.removesuffix(".")
        for page in RUNBOOKS.glob("*.md")
        for path in re.findall(r"spec(?:\.\w+)+", page.read_text())
    }
    assert len(named) > 10
    assert {path for path in named if not has(schema, path.split("."))} == set()


def test_reasons_that_the_pages_name_are_the_operators() -> None:
    known = {value for value in vars(reasons).values() if isinstance(value, str)}
    named = {
        reason
        for page in RUNBOOKS.glob("*.md")
        for reason in re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE)
    }
    assert len(named) > 8
    assert named - known == set()


def has(schema: Any, path: list[str]) -> bool:
    """Whether the schema has the field at this path."""
    if not path:
        return True
    below = schema.get("properties", {}).get(path[0])
    return below is not None and has(below, path[1:])


def test_whoever_is_woken_is_woken_for_a_reason(alerts: list[Any]) -> None:
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}
        assert alert["for"] != "0m", "one bad scrape must not page anyone"
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]
