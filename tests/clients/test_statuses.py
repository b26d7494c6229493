"""Every status that docs/api.md names and that can be caused from outside, seen with curl."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clients.conftest import KEY, Servers

pytestmark = pytest.mark.timeout(900)

GOOD = {"query": "shoes", "documents": ["a", "b", "c", "d", "e"]}
CASES: list[tuple[int, str, str, str, Any]] = [
    (200, "", "open", "/rerank", GOOD),
    (200, "", "keyed", "/health", None),
    (400, "invalid_json", "open", "/rerank", "{"),
    (400, "invalid_request", "open", "/v2/rerank", {"query": "", "documents": ["a"]}),
    (400, "no_documents", "open", "/v1/rerank", {"query": "a", "documents": []}),
    (400, "too_many_documents", "full", "/score", {"text_1": "a", "text_2": ["b"] * 6}),
    (401, "invalid_api_key", "keyed", "/v1/models", None),
    (404, "http_error", "open", "/v3/rerank", GOOD),
    (405, "http_error", "open", "/rerank", None),
    (413, "body_too_large", "full", "/rerank", {"query": "a", "documents": ["b" * 70000]}),
    (422, "query_too_long", "open", "/rerank", {"query": "word " * 500, "documents": ["a"]}),
    (422, "document_too_long", "open", "/v1/rerank", {"query": "a", "documents": ["b " * 500], "truncation": False}),
    (429, "queue_full", "full", "/rerank", GOOD),
    (503, "loading", "loading", "/rerank", GOOD),
]


def curl(url: str, key: str, body: Any, folder: Path) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON body of one call."""
    data: list[str] = []
    if body is not None:
        file = folder / "body.json"
        file.write_text(body if isinstance(body, str) else json.dumps(body))
        data = ["-H", "Content-Type: application/json", "-d", f"@{file}"]
    output = subprocess.run(
        ["curl", "-s", "-i", "-H", "Expect:", "-H", f"Authorization: Bearer {key}", *data, url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    head, _, content = output.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, json.loads(content)


@pytest.mark.parametrize(("status", "code", "server", "path", "body"), CASES)
def test_a_status_comes_with_its_code_and_a_text_in_three_places(
    *, servers: Servers, tmp_path: Path, status: int, code: str, server: str, path: str, body: Any
) -> None:
    found, headers, answer = curl(f"{getattr(servers, server)}{path}", "not-the-key", body, tmp_path)
    assert found == status, answer
    if status == 200:
        return
    assert answer["error"]["code"] == code
    assert answer["message"] == answer["error"]["message"]
    assert answer["message"] in str(answer["detail"])
    assert ("retry-after" in headers) is (status in {429, 503})
    assert ("www-authenticate" in headers) is (status == 401)


def test_the_right_key_opens_every_route(servers: Servers, tmp_path: Path) -> None:
    for path, body in (("/rerank", GOOD), ("/v1/models", None), ("/info", None)):
        assert curl(servers.keyed + path, KEY, body, tmp_path)[0] == 200
