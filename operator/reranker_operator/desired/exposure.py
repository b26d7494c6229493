"""The way in from outside of the cluster: an Ingress or an HTTPRoute."""

from typing import Any

from reranker_operator.api.exposure import HttpRoute, Ingress
from reranker_operator.desired.target import Target
from reranker_operator.kinds import HTTP_ROUTE
from reranker_operator.names import PORT, PORT_NAME


def exposure(target: Target) -> dict[str, Any] | None:
    """The Ingress or HTTPRoute; None where it isn't exposed, or not yet possible (see `plan`)."""
    wanted = target.spec.expose
    if wanted is not None and wanted.ingress is not None:
        return _ingress(target, wanted.ingress)
    if wanted is not None and wanted.http_route is not None:
        return _http_route(target, wanted.http_route)
    return None


def _ingress(target: Target, wanted: Ingress) -> dict[str, Any]:
    backend = {"service": {"name": target.name, "port": {"name": PORT_NAME}}}
    path = {"path": wanted.path, "pathType": "Prefix", "backend": backend}
    spec: dict[str, Any] = {"rules": [{"host": wanted.host, "http": {"paths": [path]}}]}
    if wanted.class_name is not None:
        spec["ingressClassName"] = wanted.class_name
    if wanted.tls_secret_name is not None:
        spec["tls"] = [{"hosts": [wanted.host], "secretName": wanted.tls_secret_name}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": _metadata(target, wanted.annotations),
        "spec": spec,
    }


def _http_route(target: Target, wanted: HttpRoute) -> dict[str, Any]:
    match = {"path": {"type": "PathPrefix", "value": wanted.path}}
    rule = {"matches": [match], "backendRefs": [{"name": target.name, "port": PORT}]}
    hostnames = {} if wanted.hostnames is None else {"hostnames": wanted.hostnames}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.kind,
        "metadata": _metadata(target, wanted.annotations),
        "spec": {"parentRefs": wanted.parent_refs, **hostnames, "rules": [rule]},
    }


def _metadata(target: Target, annotations: dict[str, str] | None) -> dict[str, Any]:
    metadata = target.metadata(target.name)
    return metadata if not annotations else {**metadata, "annotations": annotations}
