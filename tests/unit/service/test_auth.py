"""API keys: who is let in, on which routes, and what happens while the file changes."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.unit.service.conftest import App, RunApp

from reranker_service.auth import KeyFile


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text("first-key\nsecond-key\n")
    return path


@pytest.fixture
def mounted(tmp_path: Path) -> tuple[Path, Callable[[str], None]]:
    """A file in a Secret as the kubelet mounts it, and what updates it: a new folder and a swapped symbolic link."""
    turns = iter(range(100))

    def update(content: str) -> None:
        folder = tmp_path / f"..{next(turns)}"
        folder.mkdir()
        (folder / "keys").write_text(content)
        (tmp_path / "..data_tmp").symlink_to(folder.name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    update("old\n")
    (tmp_path / "keys").symlink_to("..data/keys")
    return tmp_path / "keys", update


@pytest.mark.parametrize("value", ["Bearer first-key", "bearer second-key", "Bearer  first-key "])
def test_any_of_the_keys_is_accepted(keys: Path, value: str) -> None:
    assert KeyFile(keys).accepts(value)


@pytest.mark.parametrize(
    "value", ["Bearer first", "Bearer first-key2", "Bearer ", "Bearer", "", "Basic first-key", "first-key", "Bearer é"]
)
def test_nothing_else_is(keys: Path, value: str) -> None:
    assert not KeyFile(keys).accepts(value)


def test_keys_change_with_the_secret_that_holds_them(mounted: tuple[Path, Callable[[str], None]]) -> None:
    path, update = mounted
    file = KeyFile(path)
    assert file.accepts("Bearer old")
    update("old\nnew\n")  # both, until every client has changed
    assert file.accepts("Bearer old")
    assert file.accepts("Bearer new")
    update("new\n")
    assert not file.accepts("Bearer old")
    assert file.accepts("Bearer new")


def test_a_key_of_the_same_length_written_in_place_is_noticed(keys: Path) -> None:
    file = KeyFile(keys)
    before = keys.stat()
    keys.write_text("third-key\nsecond-key\n")
    os.utime(keys, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert file.accepts("Bearer third-key")
    assert not file.accepts("Bearer first-key")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_keys_lets_nobody_in_and_says_so_once(
    keys: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys.write_text(content)
    file = KeyFile(keys)
    assert not file.accepts("Bearer ")
    assert not file.accepts("Bearer x")
    (record,) = caplog.records
    assert record.getMessage() == f"server.api_keys_file: {keys} holds no key: every request is refused with 401"


def test_a_file_that_is_gone_lets_nobody_in_until_it_is_back(keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = KeyFile(keys)
    content = keys.read_text()
    keys.unlink()
    assert not file.accepts("Bearer first-key")
    assert "can't be read" in caplog.text
    keys.write_text(content)
    assert file.accepts("Bearer first-key")


def test_no_key_is_logged(keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    KeyFile(keys).accepts("Bearer guessed-key")
    assert "2 API keys read" in caplog.text
    assert "-key" not in caplog.text.replace(str(keys), "")


async def statuses(app: App, headers: dict[str, str]) -> dict[str, int]:
    paths = ("/livez", "/readyz", "/health", "/metrics", "/v1/models", "/info", "/docs", "/openapi.json", "/nothing")
    found = {path: (await app.client.get(path, headers=headers)).status_code for path in paths}
    for path in ("/rerank", "/v1/rerank", "/v2/rerank", "/score"):
        found[path] = (await app.client.post(path, headers=headers, json={})).status_code
    return found


@pytest.mark.anyio
async def test_probes_and_metrics_are_open_and_nothing_else(run_app: RunApp, keys: Path) -> None:
    async with run_app(api_keys_file=str(keys)) as app:
        closed = {path for path, status in (await statuses(app, {})).items() if status == 401}
        assert closed == {
            "/v1/models", "/info", "/docs", "/openapi.json", "/nothing",
            "/rerank", "/v1/rerank", "/v2/rerank", "/score",
        }  # fmt: skip
        assert 401 not in (await statuses(app, bearer("second-key"))).values()


@pytest.mark.anyio
async def test_metrics_can_be_closed_too(run_app: RunApp, keys: Path) -> None:
    async with run_app(api_keys_file=str(keys), metrics_auth=True) as app:
        assert (await app.client.get("/metrics")).status_code == 401
        assert (await app.client.get("/metrics", headers=bearer("first-key"))).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize(("headers", "code"), [({}, "missing_api_key"), (bearer("wrong"), "invalid_api_key")])
async def test_a_401_can_be_read_by_every_client(
    run_app: RunApp, keys: Path, headers: dict[str, str], code: str
) -> None:
    async with run_app(api_keys_file=str(keys)) as app:
        answer: httpx.Response = await app.client.post(
            "/rerank", headers=headers, json={"query": "a", "documents": ["b"]}
        )
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="reranker"'
        body = answer.json()
        assert body["error"]["code"] == code
        assert body["error"]["message"] == body["detail"] == body["message"]
        assert app.engine.calls == []
        assert app.metric("rejected_requests_total", reason=code) == 1
        assert app.metric("inflight_requests") == 0


@pytest.mark.anyio
async def test_a_key_lets_a_request_through(run_app: RunApp, keys: Path) -> None:
    async with run_app(api_keys_file=str(keys)) as app:
        answer = await app.client.post(
            "/v2/rerank", headers=bearer("first-key"), json={"query": "a", "documents": ["b"]}
        )
        assert answer.status_code == 200
