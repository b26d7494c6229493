"""A Prometheus on loopback, for tests and for the pictures in the README."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

import yaml

from hack.observability.binaries import find

START_TIMEOUT_S = 30


class QueryError(Exception):
    """Prometheus refuses an expression; the message is its own."""


def scrape(address: str, labels: dict[str, str], *, honor_labels: bool = False) -> dict[str, Any]:
    """The scrape configuration of one process, with the labels that its PodMonitor would give it."""
    return {
        "job_name": address,
        "honor_labels": honor_labels,
        "static_configs": [{"targets": [address], "labels": labels}],
    }


class Client:
    """Asks a Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def instant(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The series of an expression, each with `metric` and `value`; a scalar as one series.

        Raises:
            QueryError: the expression is in error.
        """
        return self._query("query", query=expression, **({} if at is None else {"time": at}))

    def range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of an expression over a time, each with `metric` and `values`.

        Raises:
            QueryError: the expression is in error.
        """
        return self._query("query_range", query=expression, start=start, end=end, step=step)

    def get(self, path: str) -> Any:
        """The data of another path of the API, such as `targets`.

        Raises:
            QueryError: Prometheus answered with an error.
        """
        request = f"{self._url}/api/v1/{path}"
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - an address on this machine
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(error.read().decode(errors="replace")) from error

    def _query(self, kind: str, **parameters: Any) -> list[dict[str, Any]]:
        data = self.get(f"{kind}?{urllib.parse.urlencode(parameters)}")
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        found: list[dict[str, Any]] = data["result"]
        return found


class Prometheus:
    """The process. Leave its `with` block to end it."""

    def __init__(self, folder: Path, port: int, scrape_configs: list[dict[str, Any]], rules: Path | None) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.client = Client(self.url)
        self.log = folder / "prometheus.log"
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "2s"},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": scrape_configs,
        }
        file = folder / "prometheus.yaml"
        file.write_text(yaml.safe_dump(config))
        command = (
            str(find("prometheus")),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )
        with self.log.open("w") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)

    def __enter__(self) -> Self:
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        """Return when it answers queries."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"prometheus ended: {self.log.read_text()[-2000:]}")
            try:
                self.client.instant("vector(1)")
            except (urllib.error.URLError, QueryError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
