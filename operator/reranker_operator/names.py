"""Names that other parts rely on: the API, labels, annotations, children's names.

They are a contract with the chart, the dashboards and whoever selects our pods: none of them may change within a
version of the API.
"""

GROUP = "reranker.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "RerankerDeployment"
PLURAL = "rerankerdeployments"

FIELD_MANAGER = "reranker-operator"
CONFIG_HASH_ANNOTATION = f"{GROUP}/config-hash"

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
RESERVED_LABELS = (NAME_LABEL, INSTANCE_LABEL, COMPONENT_LABEL, MANAGED_BY_LABEL)

CONTAINER = "reranker"
PORT = 8000
PORT_NAME = "http"

MANAGED_SELECTOR = f"{MANAGED_BY_LABEL}={FIELD_MANAGER}"
"""Finds everything that the operator made; what its watches of children are limited to."""


def selector_labels(instance: str) -> dict[str, str]:
    """The labels by which the Deployment and the Service select pods. Immutable in a Deployment."""
    return {NAME_LABEL: "reranker", INSTANCE_LABEL: instance, COMPONENT_LABEL: "server"}


def labels(instance: str) -> dict[str, str]:
    """The labels of every child and pod."""
    return {**selector_labels(instance), MANAGED_BY_LABEL: FIELD_MANAGER}


def selector(instance: str) -> str:
    """The pods' selector as `kubectl -l` and the scale subresource write it."""
    return ",".join(f"{key}={value}" for key, value in selector_labels(instance).items())


def config_map_name(instance: str) -> str:
    """The ConfigMap that holds the service's configuration."""
    return f"{instance}-config"
