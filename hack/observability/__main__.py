"""Writes the dashboards and the rules into the chart: `python -m hack.observability`."""

import sys
from pathlib import Path

import yaml

from hack.observability import controller, fleet, latency, rules
from hack.observability.boards import FLEET, LATENCY, OPERATOR, as_json

FILES = Path(__file__).resolve().parents[2] / "charts" / "reranker-operator" / "files"
BOARDS = {LATENCY: latency.build, FLEET: fleet.build, OPERATOR: controller.build}
HEADER = (
    "# Generated from hack/observability/rules.py. The chart puts its values in place of OBJECTIVE_…;\n"
    "# `helm template --set prometheusRule.enabled=true` shows the rules as Prometheus gets them.\n"
)


def main() -> int:
    """Write all of them."""
    folder = FILES / "dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        if old.stem not in BOARDS:
            old.unlink()
    for uid, build in BOARDS.items():
        (folder / f"{uid}.json").write_text(as_json(build()), encoding="utf-8")
    text = yaml.safe_dump(rules.groups(), sort_keys=False, width=1000, allow_unicode=True)
    (FILES / "rules.yaml").write_text(HEADER + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
