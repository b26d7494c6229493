"""A PodMonitor as Prometheus' own configuration, for a Prometheus without the Prometheus operator.

It is the part of that operator's translation that our PodMonitors need, with the labels that it gives to every target.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def scrape_configs(monitor: Mapping[str, Any], kubeconfig: Path) -> list[dict[str, Any]]:
    """One scrape configuration for each endpoint of the monitor; pods are found through the API server."""
    spec = monitor["spec"]
    namespaces = spec.get("namespaceSelector", {})
    discovery: dict[str, Any] = {"role": "pod", "kubeconfig_file": str(kubeconfig)}
    if not namespaces.get("any"):
        discovery["namespaces"] = {"names": namespaces.get("matchNames", [monitor["metadata"]["namespace"]])}
    return [
        {
            "job_name": f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}/{number}",
            "honor_labels": endpoint.get("honorLabels", False),
            "kubernetes_sd_configs": [discovery],
            "relabel_configs": [
                _keep("__meta_kubernetes_pod_phase", "(Running|Pending|Unknown)"),
                *(
                    _keep(f"__meta_kubernetes_pod_label_{_as_label(label)}", re.escape(value))
                    for label, value in spec["selector"]["matchLabels"].items()
                ),
                _keep("__meta_kubernetes_pod_container_port_name", endpoint["port"]),
                _set("__meta_kubernetes_namespace", "namespace"),
                _set("__meta_kubernetes_pod_container_name", "container"),
                _set("__meta_kubernetes_pod_name", "pod"),
                *(
                    _set(relabeling["sourceLabels"][0], relabeling["targetLabel"])
                    for relabeling in endpoint.get("relabelings", ())
                ),
            ],
        }
        for number, endpoint in enumerate(spec["podMetricsEndpoints"])
    ]


def _keep(source: str, pattern: str) -> dict[str, Any]:
    return {"action": "keep", "source_labels": [source], "regex": pattern}


def _set(source: str, target: str) -> dict[str, Any]:
    return {"source_labels": [source], "target_label": target}


def _as_label(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)
