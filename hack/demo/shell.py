"""Programs that the demo calls, with the environment of the cluster that it works on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


class StepError(Exception):
    """A step of the demo could not be done; the message says what to look at."""


class Shell:
    """Runs programs from the repository root against one cluster.

    The local cluster's `kubectl`, `helm` and kubeconfig come from `hack/cluster/cluster env`; with `CLUSTER=current`
    those of the user are taken as they are.
    """

    def __init__(self) -> None:
        self.local = os.environ.get("CLUSTER", "local") != "current"
        self.environment = dict(os.environ)

    def use_cluster(self) -> None:
        """Take over what `hack/cluster/cluster env` prints (`export NAME=value` lines)."""
        if not self.local:
            return
        for line in self.output("hack/cluster/cluster", "env").splitlines():
            found = re.fullmatch(r"export (\w+)=(.*)", line.strip())
            if found:
                value = os.path.expandvars(shlex.split(found[2])[0])
                self.environment[found[1]] = value

    def run(self, *command: str, stdin: str | None = None) -> None:
        """Run with the output going to the terminal; a non-zero exit status is a `StepError`."""
        done = subprocess.run(command, cwd=ROOT, env=self.environment, input=stdin, text=stdin is not None, check=False)
        if done.returncode:
            raise StepError(f"`{shlex.join(command)}` ended with exit status {done.returncode}")

    def output(self, *command: str, stdin: str | None = None) -> str:
        """Run and return what was printed; errors go to the terminal, progress too."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            text=True,
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise StepError(f"`{shlex.join(command)}` ended with exit status {done.returncode}\n{done.stdout}")
        return done.stdout

    def try_run(self, command: Sequence[str]) -> None:
        """Run for what it shows, whatever its exit status: used on the way out of a failure."""
        subprocess.run(command, cwd=ROOT, env=self.environment, check=False)

    def get(self, *arguments: str) -> Any:
        """`kubectl get ... -o json`, parsed."""
        return json.loads(self.output("kubectl", "get", *arguments, "-o", "json"))

    @contextlib.contextmanager
    def port_forward(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """Forward a free local port to `target`; yields the base URL."""
        command = ["kubectl", "-n", namespace, "port-forward", "--address=127.0.0.1", target, f":{port}"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"127\.0\.0\.1:(\d+) ->", line)
            if not found:
                process.terminate()
                raise StepError(f"kubectl port-forward to {target} failed: {line}{process.communicate()[1]}")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()
            process.communicate()
