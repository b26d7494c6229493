"""A real API server on loopback: etcd, kube-apiserver and the controllers that make Deployments, pods and garbage
collection real. There is no kubelet, so tests write the status of pods themselves.

The binaries come from `hack/cluster/cluster bin`, or from the folder that KUBERNETES_BIN names.
"""

import os
import signal
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import httpx
import yaml

from hack.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ADMIN, OPERATOR, NARROW_OPERATOR = "admin", "operator", "narrow-operator"
"""Users. Their tokens are their names: the API server listens on loopback and lives as long as the tests."""
CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
)


def binaries() -> Path:
    """The folder with kube-apiserver, kube-controller-manager and etcd."""
    given = os.environ.get("KUBERNETES_BIN")
    if given:
        return Path(given)
    command = [ROOT / "hack/cluster/cluster", "bin"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"hack/cluster/cluster bin: {done.stderr}")
    return Path(done.stdout.strip())


class Process:
    """A program of ours; what it prints goes to a file that is shown when it ends too soon."""

    def __init__(self, arguments: Sequence[str | Path], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        self._file: IO[bytes] = log.open("ab")
        self.popen = subprocess.Popen(
            list(arguments), stdout=self._file, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )

    def end(self, number: int = signal.SIGTERM, within: float = 20) -> int:
        """Send a signal and wait; the exit status."""
        self.popen.send_signal(number)
        return self.wait(within)

    def wait(self, within: float = 20) -> int:
        """Wait until it ends by itself; the exit status."""
        try:
            return self.popen.wait(within)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise
        finally:
            self._file.close()

    def check(self) -> None:
        """Fail with the log's end when it isn't running."""
        if self.popen.poll() is not None:
            raise RuntimeError(f"{self.popen.args!r} ended: {self.log.read_text(errors='replace')[-3000:]}")


class ControlPlane:
    """The processes, and how to reach them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bin = binaries()
        self._etcd_port, self._etcd_peer_port, self.port = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = folder / "certs/apiserver.crt"
        self._etcd: Process | None = None
        self._apiserver: Process | None = None
        self._controllers: Process | None = None

    def start(self) -> None:
        """Start all and wait until they work."""
        key = self._folder / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens = f"{ADMIN},{ADMIN},1,system:masters\n{OPERATOR},{OPERATOR},2\n{NARROW_OPERATOR},{NARROW_OPERATOR},3\n"
        (self._folder / "tokens.csv").write_text(tokens)
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._etcd_peer_port}"
        self._etcd = Process(
            [
                self._bin / "etcd",
                f"--data-dir={self._folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
            ],
            self._folder / "etcd.log",
        )
        self.start_apiserver()
        kubeconfig = self.kubeconfig(ADMIN)
        self._controllers = Process(
            [
                self._bin / "kube-controller-manager",
                f"--kubeconfig={kubeconfig}",
                f"--controllers={','.join(CONTROLLERS)}",
                f"--service-account-private-key-file={key}",
                "--leader-elect=false",
                "--secure-port=0",
                "--kube-api-qps=200",
                "--kube-api-burst=400",
                "--concurrent-gc-syncs=5",
            ],
            self._folder / "kube-controller-manager.log",
        )

    def start_apiserver(self) -> None:
        """Start the API server (again) and wait until it is ready."""
        key = self._folder / "service-accounts.key"
        self._apiserver = Process(
            [
                self._bin / "kube-apiserver",
                f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
                "--bind-address=127.0.0.1",
                f"--secure-port={self.port}",
                f"--cert-dir={self._folder / 'certs'}",
                f"--token-auth-file={self._folder / 'tokens.csv'}",
                "--authorization-mode=RBAC",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                f"--service-account-issuer={self.url}",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--shutdown-delay-duration=0s",
                "--watch-cache=true",
            ],
            self._folder / "kube-apiserver.log",
        )
        deadline = time.monotonic() + 60
        while not self._is_ready():
            self._apiserver.check()
            assert time.monotonic() < deadline, "the API server is not ready"
            time.sleep(0.2)

    def stop_apiserver(self) -> None:
        """End the API server, and with it every watch."""
        assert self._apiserver is not None
        self._apiserver.end(signal.SIGKILL)

    def stop(self) -> None:
        """End all."""
        for process in (self._controllers, self._apiserver, self._etcd):
            if process is not None:
                process.end(signal.SIGKILL)

    def kubeconfig(self, user: str) -> Path:
        """Write a kubeconfig for a user."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "clusters": [{"name": "tests", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}],
            "users": [{"name": user, "user": {"token": user}}],
        }
        path = self._folder / f"{user}.kubeconfig"
        path.write_text(yaml.safe_dump(content))
        return path

    def _is_ready(self) -> bool:
        try:
            headers = {"Authorization": f"Bearer {ADMIN}"}
            trust = ssl.create_default_context(cafile=str(self.ca))
            return httpx.get(f"{self.url}/readyz", headers=headers, verify=trust, timeout=2).status_code == 200
        except (httpx.HTTPError, OSError):  # the certificate comes with the first start
            return False
