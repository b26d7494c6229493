"""Results files of every version are read for ever, and each is what its schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reranker_bench.reading import ResultsFileError, read_all, read_results
from reranker_bench.schema import newest

FILES = Path(__file__).with_name("results")
SCHEMAS = Path(__file__).parents[2] / "docs" / "results" / "schema"
VERSIONS = range(1, newest()[0] + 1)


def schema(version: int) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"results-v{version}.json").read_text()))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_of_each_version_is_read_and_is_what_its_schema_says(version: int) -> None:
    file = FILES / f"v{version}.json"
    document = json.loads(file.read_text())
    assert document["schema_version"] == version
    schema(version).validate(document)
    results = read_results(file)
    assert [cell.documents for cell in results.cells] == [100, 200]
    assert (results.backend, results.instruction_format) == ("qwen3_vllm_score", "compact")
    assert results.environment.server.model == "Qwen/Qwen3-Reranker-0.6B"
    assert results.environment.server.max_model_len == 160
    assert [len(cell.values_ms) for cell in results.cells] == [4, 4]
    assert results.lost == 2
    schema(newest()[0]).validate(json.loads(results.model_dump_json()))


def test_the_newest_schema_in_the_documentation_is_the_codes() -> None:
    version, generated = newest()
    assert json.loads((SCHEMAS / f"results-v{version}.json").read_text()) == generated


def test_a_run_writes_what_the_schema_says(serve: Any, bench: Any, script: Any) -> None:
    server = serve(script(faults={3: "reset"}))
    ran = bench("5,6", "--repeat", "3", "--warmup-requests", "1", "--rate", "50", "--url", server.url)
    schema(newest()[0]).validate(ran.results)
    assert read_results(ran.file).lost_by_reason() == {"reset": 1}


def test_results_can_be_the_last_line_of_the_log(serve: Any, bench: Any, script: Any, tmp_path: Path) -> None:
    ran = bench("5", "--repeat", "2", "--quiet-runs", "--url", serve(script()).url, "--json-summary-out", "-")
    assert ran.status == 0, ran.stderr
    log = tmp_path / "log"
    log.write_text(ran.stdout.splitlines()[-1])
    assert read_results(log).samples == 2
    assert not ran.file.exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", "not a results file"),
        ('{"kind": "something"}', "not a results file"),
        ('{"kind": "reranker-bench/run", "schema_version": 3}', "schema_version 3 is not known"),
        ('{"kind": "reranker-bench/run", "schema_version": "1"}', "schema_version '1' is not known"),
        ('{"kind": "reranker-bench/run", "schema_version": 1}', "lacks what its schema_version has"),
        ('{"kind": "reranker-bench/run", "schema_version": 2}', "tag: Field required"),
        (None, "can't read"),
    ],
)
def test_what_is_no_results_file_is_refused_by_name(tmp_path: Path, content: str | None, complaint: str) -> None:
    file = tmp_path / "file.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ResultsFileError, match=complaint) as refused:
        read_results(file)
    assert "file.json" in str(refused.value)


def test_a_folder_stands_for_its_results_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text((FILES / "v1.json").read_text())
    (tmp_path / "a.json").write_text((FILES / "v2.json").read_text())
    (tmp_path / "matrix.json").write_text('{"kind": "something else"}')
    assert [run.parameters.seed for run in read_all([tmp_path])] == [42, 99]
    with pytest.raises(ResultsFileError, match="holds no results file"):
        read_all([FILES.parent])
