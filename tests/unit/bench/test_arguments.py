"""The flags: the method's own defaults, and wrong ones are refused with a message that names what is wrong."""

from __future__ import annotations

import pytest

from reranker_bench.cli import main, parser


def test_the_defaults_are_those_of_the_method() -> None:
    given = parser().parse_args(["run"])
    assert given.documents == (100, 200, 400, 600, 800, 1000)
    assert (given.repeat, given.seed, given.timeout) == (5, 99, 360)
    assert (given.warmup_requests, given.warmup_documents) == (3, 400)
    assert (given.query, given.url) == ("健身女生T恤短袖", "http://127.0.0.1:8000")
    assert (given.titles, given.wait, given.allow_errors, given.quiet_runs) == (None, 0, False, False)


@pytest.mark.parametrize("line", ["http://host:1/base 1,2", "1,2 http://host:1/base", "1,2 --url http://host:1/base"])
def test_the_server_can_be_named_with_or_without_its_flag(line: str) -> None:
    given = parser().parse_args(["run", *line.split()])
    assert (given.url, given.documents) == ("http://host:1/base", (1, 2))


def test_the_command_line_of_the_method_is_understood() -> None:
    line = "run 100,200,400,600,800,1000 --repeat 5 --seed 42 --quiet-runs --timeout 360 --tag T --json-summary-out f"
    given = parser().parse_args(line.split())
    assert (given.seed, given.tag, given.json_summary_out.name, given.quiet_runs) == (42, "T", "f", True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("100,many",), "whole number"),
        (("100,-5",), "at least 1"),
        (("100,100",), "twice"),
        (("100", "--repeat", "0"), "at least 1"),
        (("100", "--warmup-requests", "-1"), "negative"),
        (("100", "--timeout", "0"), "more than 0"),
        (("100", "--wait", "nan"), "seconds"),
        (("100", "--wait", "soon"), "seconds"),
        (("100", "--url", "ftp://x"), "http://host:8000"),
        (("100", "--url", "http://"), "http://host:8000"),
        (("100", "--url", "http://x/rerank"), "without /rerank"),
        (("100", "--query", "\udcff"), "not valid text"),
        (("200001",), "200001 documents need as many titles"),
        (("100", "--rate", "0"), "above 0"),
        (("100", "--rate", "fast"), "not a number"),
        (("100", "--duration", "-1"), "seconds"),
        (("100", "--concurrency", "0"), "at least 1"),
        (("100", "--dialect", "elvish"), "invalid choice"),
        (("100", "--api-key-file", "/nowhere/key"), "can't read the API key from /nowhere/key"),
        (("100", "--api-key", "schlüssel"), "can't stand in a header"),
        (("100", "--url", "http://x:99999"), "not a URL"),
        (("100", "--no-such-flag"), "unrecognized arguments"),
        (("100", "200"), "in one word, N,N,..."),
        (("http://a", "http://b"), "one URL, please"),
        (("100", "ftp://x"), "http://host:8000"),
    ],
)
def test_wrong_usage_is_refused_by_name(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: object = main(["run", *arguments])
    except SystemExit as refused:
        status = refused.code
    assert status == 2
    assert complaint in capsys.readouterr().err
