"""The pods that a PodMonitor chooses, as targets for a Prometheus without the Prometheus operator.

Debian's build of Prometheus lacks the discovery through the API server, so the choice is made here, by the part of the
PodMonitor's rules that ours need, and with the labels that the Prometheus operator gives to every target.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

META = "__meta_kubernetes_pod_label_"


def scrape_configs(monitor: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One scrape configuration for each endpoint of the monitor, with the pods that it chooses of those there are.

    Args:
        monitor: a PodMonitor.
        pods: of all namespaces, as the API server has them.
    """
    chosen = [pod for pod in pods if _chooses(monitor, pod)]
    return [
        {
            "job_name": f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}/{number}",
            "honor_labels": endpoint.get("honorLabels", False),
            "static_configs": [target for pod in chosen for target in _targets(endpoint, pod)],
        }
        for number, endpoint in enumerate(monitor["spec"]["podMetricsEndpoints"])
    ]


def _chooses(monitor: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    where = monitor["spec"].get("namespaceSelector", {})
    namespaces = where.get("matchNames", [monitor["metadata"]["namespace"]])
    labels = pod["metadata"].get("labels", {})
    return (
        (where.get("any", False) or pod["metadata"]["namespace"] in namespaces)
        and monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        and pod["status"].get("phase") == "Running"
    )


def _targets(endpoint: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    metadata = pod["metadata"]
    meta = {META + re.sub(r"[^a-zA-Z0-9_]", "_", name): value for name, value in metadata.get("labels", {}).items()}
    more = {
        relabeling["targetLabel"]: meta[relabeling["sourceLabels"][0]] for relabeling in endpoint.get("relabelings", ())
    }
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", ()):
            if port.get("name") == endpoint["port"]:
                labels = {"namespace": metadata["namespace"], "pod": metadata["name"], "container": container["name"]}
                address = f"{pod['status']['podIP']}:{port['containerPort']}"
                yield {"targets": [address], "labels": labels | more}
