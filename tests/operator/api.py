"""A synchronous client for the tests, as the cluster's administrator."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

Object = dict[str, Any]
T = TypeVar("T")

APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}

PATHS = {
    "rerankerdeployments": "/apis/reranker.dev/v1alpha1",
    "rerankerbenchmarks": "/apis/reranker.dev/v1alpha1",
    "jobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "services": "/api/v1",
    "configmaps": "/api/v1",
    "pods": "/api/v1",
    "events": "/api/v1",
    "resourcequotas": "/api/v1",
    "serviceaccounts": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "scaledobjects": "/apis/keda.sh/v1alpha1",
    "podmonitors": "/apis/monitoring.coreos.com/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
}


class Rejected(Exception):  # noqa: N818 - reads like what happened
    """The API server answered with an error; the text is its message."""

    def __init__(self, response: httpx.Response) -> None:
        is_json = response.headers["Content-Type"].startswith("application/json")
        super().__init__(response.json()["message"] if is_json else response.text)
        self.status = response.status_code


class Api:
    """Requests by plural names."""

    def __init__(self, url: str, token: str, ca: Path) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=str(ca)),
            timeout=20,
        )

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Object | None = None, **extra: Any) -> Any:
        response = self._http.request(method, path, json=body, **extra)
        if response.is_error:
            raise Rejected(response)
        return response.json()

    def create(self, plural: str, manifest: Object, *, dry_run: bool = False) -> Object:
        path = _path(plural, manifest["metadata"]["namespace"])
        return self.call("POST", path, manifest, params={"dryRun": "All"} if dry_run else {})

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        return self.look(_path(plural, namespace, name))

    def look(self, path: str) -> Object | None:
        """What is at a path, or None."""
        try:
            return self.call("GET", path)
        except Rejected as error:
            if error.status == 404:
                return None
            raise

    def list(self, plural: str, namespace: str, selector: str = "") -> list[Object]:
        return self.call("GET", _path(plural, namespace), params={"labelSelector": selector})["items"]

    def patch(self, plural: str, namespace: str, name: str, patch: Object, subresource: str = "") -> Object:
        """A merge patch."""
        return self.call("PATCH", _path(plural, namespace, name, subresource), patch, headers=MERGE)

    def delete(self, plural: str, namespace: str, name: str) -> None:
        """Whatever is not there any more is as wanted: a collector may have been quicker."""
        try:
            self.call("DELETE", _path(plural, namespace, name))
        except Rejected as error:
            if error.status != 404:
                raise


def _path(plural: str, namespace: str, name: str = "", subresource: str = "") -> str:
    tail = "".join(f"/{part}" for part in (name, subresource) if part)
    return f"{PATHS[plural]}/namespaces/{namespace}/{plural}{tail}"


def eventually(look: Callable[[], T], what: str, within: float = 20) -> T:
    """Look until what is seen is true (or no assertion fails any more); what was seen then."""
    deadline = time.monotonic() + within
    while True:
        seen, reason = None, None
        try:
            seen = look()
        except AssertionError as error:
            reason = error
        if seen and reason is None:
            return seen
        assert time.monotonic() < deadline, f"not within {within} s: {what}; last seen: {reason or seen!r}"
        time.sleep(0.1)
