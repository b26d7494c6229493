"""The pages about the service say what its code says."""

import re
from pathlib import Path

import pytest
from prometheus_client import Counter

from hack import configuration_page
from reranker_service.metrics import Metrics
from reranker_service.score_check.check import ScoreCheck
from reranker_service.settings import Settings, load_settings

DOCS = Path(__file__).resolve().parents[3] / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")
OBSERVABILITY = (DOCS / "observability.md").read_text(encoding="utf-8")


def test_the_tables_of_keys_are_the_settings_own() -> None:
    assert configuration_page.render(CONFIGURATION) == CONFIGURATION


def test_a_page_without_a_tables_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for the table server"):
        configuration_page.render(CONFIGURATION.replace("<!-- table: server -->", ""))


def test_the_example_of_the_file_is_valid(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert example is not None
    path = tmp_path / "config.yaml"
    path.write_text(example[1])
    assert load_settings(path).model_name == "Qwen/Qwen3-Reranker-0.6B"


def documented() -> dict[str, str]:
    """The metrics on the page, by name, with their kind, labels and buckets as the row has them."""
    rows = re.findall(r"^\| `(reranker_\w+)` \| (.*)$", OBSERVABILITY, re.MULTILINE)
    return dict(rows)


def test_every_metric_is_described_with_its_kind_labels_and_buckets() -> None:
    metrics = Metrics(backend="b", instruction_format="f")
    described = documented()
    shown = [metric for metric in metrics.registry.collect() if metric.name.startswith("reranker_")]
    assert len(shown) > 15
    names = set()
    for metric in shown:
        name = metric.name + ("_total" if metric.type == "counter" else "")
        names.add(name)
        assert described[name].startswith(f"{metric.type} |"), name
    assert set(described) - names == {
        "reranker_score_check_passed", "reranker_score_check_violations",
        "reranker_score_check_worst_margin", "reranker_score_check_max_drift",
    }  # fmt: skip
    for attribute in vars(metrics).values():
        row = described.get(f"{getattr(attribute, '_name', '')}{'_total' * isinstance(attribute, Counter)}", "")
        for label in getattr(attribute, "_labelnames", ()):
            assert f"`{label}`" in row
        for bound in (*getattr(attribute, "_upper_bounds", ())[:-1], *getattr(attribute, "_bounds", ())):
            assert f"{bound:g}" in row.split(" | ")[-1].removesuffix(" |").split(", "), (attribute, bound)


def test_every_field_of_the_score_check_is_described() -> None:
    shown = ScoreCheck(Settings(model_name="m")).report.as_json()
    section = OBSERVABILITY[OBSERVABILITY.index("## Health") :]
    for key in (*shown, *shown["baseline"]):
        assert f"`{key}`" in section, key
