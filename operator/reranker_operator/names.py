"""Names that other parts rely on: the API, labels, annotations, children's names.

They are a contract with the chart, the dashboards and whoever selects our pods: none of them may change within a
version of the API.
"""

GROUP = "reranker.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "RerankerDeployment"
PLURAL = "rerankerdeployments"
BENCHMARK_KIND = "RerankerBenchmark"
BENCHMARK_PLURAL = "rerankerbenchmarks"

FIELD_MANAGER = "reranker-operator"
CONFIG_HASH_ANNOTATION = f"{GROUP}/config-hash"
TEMPLATE_HASH_ANNOTATION = f"{GROUP}/template-hash"
"""On every pod: what it was made from. Tells pods of the present template from those of an earlier one."""
RESERVED_ANNOTATIONS = (CONFIG_HASH_ANNOTATION, TEMPLATE_HASH_ANNOTATION)

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
BENCHMARK_LABEL = f"{GROUP}/benchmark"
"""On everything that belongs to a RerankerBenchmark, pods of a temporary reranker included: the benchmark's name."""
RESERVED_LABELS = (NAME_LABEL, INSTANCE_LABEL, COMPONENT_LABEL, MANAGED_BY_LABEL)

CONTAINER = "reranker"
BENCHMARK_CONTAINER = "bench"
BENCHMARK_COMPONENT = "benchmark"
"""The component label of a benchmark's Jobs and their pods; policies admit pods with it to the reranker."""
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


def config_map_name(instance: str, digest: str) -> str:
    """The ConfigMap that holds the service's configuration: each configuration has one of its own.

    `digest` is the configuration's hash in hexadecimal digits.
    """
    return f"{instance}-config-{digest[:10]}"


def headless_service_name(instance: str) -> str:
    """The Service that resolves to the single pods."""
    return f"{instance}-pods"


def cache_claim_name(instance: str) -> str:
    """The PersistentVolumeClaim for downloaded weights."""
    return f"{instance}-cache"


def baseline_name(instance: str) -> str:
    """The ConfigMap that holds the scores which later ones are compared with."""
    return f"{instance}-baseline"


def benchmark_labels(instance: str) -> dict[str, str]:
    """The labels of a benchmark's Jobs and of their pods."""
    return {
        NAME_LABEL: "reranker-bench",
        INSTANCE_LABEL: instance,
        COMPONENT_LABEL: BENCHMARK_COMPONENT,
        MANAGED_BY_LABEL: FIELD_MANAGER,
        BENCHMARK_LABEL: instance,
    }


def scenario_name(benchmark: str, position: int) -> str:
    """What one scenario's Job and temporary RerankerDeployment are called; positions count from 0."""
    return f"{benchmark}-s{position + 1}"
