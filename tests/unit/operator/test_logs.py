"""Lines of the operator's log."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys
from reranker_operator import logs
logs.configure("INFO", sys.argv[1])
logging.getLogger("a").info("first\\nsecond %s", "é")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("a").exception("failed")
class Broken:
    def __del__(self):
        raise ValueError("in a finalizer")
broken = Broken()
del broken
logging.getLogger("kopf.x").info("chatter")
"""


def lines(log_format: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, log_format], check=True, capture_output=True, text=True)
    return done.stderr.splitlines()


def test_every_record_is_one_json_object_a_line():
    first, failed, ignored = map(json.loads, lines("json"))
    assert (first["level"], first["logger"], first["message"]) == ("info", "a", "first\nsecond é")
    assert first["time"].endswith("+00:00")
    assert "ZeroDivisionError" in failed["exception"]
    assert "in a finalizer" in ignored["message"]


def test_text_is_for_people():
    found = lines("text")
    assert found[0].endswith("INFO a: first")
    assert "Traceback (most recent call last):" in found


def test_unknown_format_names_those_that_there_are():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        lines("xml")
    assert "'xml' is no log format: use one of json, text" in caught.value.stderr
