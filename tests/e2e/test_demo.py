"""The demo, as a newcomer runs it."""

import re
import subprocess
import sys

import pytest

from hack.demo.shell import ROOT, Shell
from hack.demo.up import NAMESPACE, QUERY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1000)]


def ranked_titles(output: str) -> list[str]:
    """The titles of the ranking table, best first."""
    return re.findall(r"^│\s+\d+ │\s+[01]\.\d+ │ (.*?)\s*│$", output, re.MULTILINE)


def test_titles_that_match_category_and_gender_are_on_top(demo_output: str):
    titles = ranked_titles(demo_output)
    assert len(titles) >= 12, demo_output
    matching = [title for title in titles if is_womens_short_sleeved_t_shirt(title)]
    assert titles[: len(matching)] == matching, f"for {QUERY} came\n" + "\n".join(titles)


def is_womens_short_sleeved_t_shirt(title: str) -> bool:
    return "女" in title and "T恤" in title and "短袖" in title


def test_the_sweep_prints_a_latency_for_every_number_of_documents(demo_output: str):
    table = demo_output[demo_output.index("Benchmark, as a Job") :]
    rows = [line for line in table.splitlines() if "qwen3_vllm_score" in line and "compact" in line]
    assert rows, table
    assert len(re.findall(r"\d+\.\d", rows[0])) >= 3, rows[0]


def test_the_reranker_is_shown_by_its_short_name(demo_output: str):
    assert re.search(r"^NAME +BACKEND +FORMAT", demo_output, re.MULTILINE)
    assert re.search(r"^products +qwen3_vllm_score +compact", demo_output, re.MULTILINE)


def test_it_says_how_to_stop(demo_output: str):
    assert "make demo-down" in demo_output


def test_running_it_again_restarts_nothing(demo_output: str, shell: Shell):
    before = shell.get("-n", NAMESPACE, "pods", "-l", "app.kubernetes.io/instance=products")["items"]
    again = subprocess.run(
        [sys.executable, "-m", "hack.demo", "up"], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    after = shell.get("-n", NAMESPACE, "pods", "-l", "app.kubernetes.io/instance=products")["items"]
    assert [pod["metadata"]["uid"] for pod in after] == [pod["metadata"]["uid"] for pod in before]
    assert ranked_titles(again.stdout) == ranked_titles(demo_output)


def test_a_step_that_fails_is_named_and_its_logs_are_shown(demo_output: str, tmp_path):
    broken = tmp_path / "helm"
    broken.write_text("#!/bin/sh\necho 'no such release' >&2\nexit 3\n")
    broken.chmod(0o755)
    code = (
        "import sys; from hack.demo.shell import Shell; real = Shell.use_cluster\n"
        "def use_cluster(self):\n"
        f"    real(self); self.environment['PATH'] = {str(tmp_path)!r} + ':' + self.environment['PATH']\n"
        "Shell.use_cluster = use_cluster; sys.argv[1:] = ['up']\n"
        "from hack.demo.__main__ import main; sys.exit(main())"
    )
    failed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False)
    assert failed.returncode == 1
    assert "failed: Operator, installed by Helm" in failed.stdout
    assert "exit status 3" in failed.stdout
    assert "deployment/reranker-operator" in failed.stdout, "the operator's logs were not shown"
