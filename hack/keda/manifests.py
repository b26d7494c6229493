"""KEDA's own manifests, as its module brings them, made to run from images that were built here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

IMAGES = {"keda-operator": "keda", "keda-metrics-apiserver": "keda-adapter"}
"""Deployment -> the binary in its image, which KEDA's manifests call by that name."""
# The webhook refuses faulty ScaledObjects and scales nothing; its program is not built.
WEBHOOK = "admission"


def adapted(documents: Iterable[dict[str, Any]], tag: str) -> list[dict[str, Any]]:
    """The objects without the admission webhook, with images `localhost/<binary>:<tag>` that the node has."""
    kept = [document for document in documents if document and not is_webhook(document)]
    for document in kept:
        if document["kind"] != "Deployment":
            continue
        [container] = document["spec"]["template"]["spec"]["containers"]
        container["image"] = f"localhost/{IMAGES[document['metadata']['name']]}:{tag}"
        container["imagePullPolicy"] = "Never"
        # What waits 20 seconds before it looks for the first time costs a run that many.
        container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 2}
        if document["metadata"]["name"] == "keda-operator":
            container["args"].append("--enable-webhook-patching=false")
    return kept


def is_webhook(document: dict[str, Any]) -> bool:
    """Whether an object belongs to the admission webhook."""
    return document["kind"] == "ValidatingWebhookConfiguration" or (
        document["kind"] in {"Deployment", "Service"} and WEBHOOK in document["metadata"]["name"]
    )


def scrape_config(targets: str) -> dict[str, Any]:
    """Prometheus's configuration, with the targets in a file."""
    job = {"job_name": "rerankers", "file_sd_configs": [{"files": [targets], "refresh_interval": "2s"}]}
    return {"global": {"scrape_interval": "2s", "scrape_timeout": "2s"}, "scrape_configs": [job]}


def scrape_targets(pods: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pods as targets, with the labels that the chart's PodMonitor gives them."""
    return [
        {
            "targets": [f"{pod['status']['podIP']}:{port['containerPort']}"],
            "labels": {
                "namespace": pod["metadata"]["namespace"],
                "pod": pod["metadata"]["name"],
                "reranker": pod["metadata"]["labels"]["app.kubernetes.io/instance"],
            },
        }
        for pod in pods
        if pod["status"].get("podIP")
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
        if port["name"] == "http"
    ]
