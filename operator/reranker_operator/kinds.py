"""The kinds of objects that the operator reads and writes, and their place in the API."""

from dataclasses import dataclass

from reranker_operator.names import API_VERSION, BENCHMARK_KIND, BENCHMARK_PLURAL, KIND, PLURAL


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    api_version: str
    kind: str
    plural: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def root(self) -> str:
        """The path below which the kind's version is served."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of a collection (of all namespaces without one), an object or its subresource."""
        scope = f"/namespaces/{namespace}" if namespace is not None else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part is not None)
        return f"{self.root}{scope}/{self.plural}{tail}"


RERANKER_DEPLOYMENT = Kind(API_VERSION, KIND, PLURAL)
RERANKER_BENCHMARK = Kind(API_VERSION, BENCHMARK_KIND, BENCHMARK_PLURAL)
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SERVICE = Kind("v1", "Service", "services")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
POD = Kind("v1", "Pod", "pods")
JOB = Kind("batch/v1", "Job", "jobs")
EVENT = Kind("v1", "Event", "events")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
SCALED_OBJECT = Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects")
POD_MONITOR = Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
NODE = Kind("v1", "Node", "nodes")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

CHILDREN: tuple[Kind, ...] = (
    CONFIG_MAP,
    SERVICE,
    DEPLOYMENT,
    SERVICE_ACCOUNT,
    CLAIM,
    DISRUPTION_BUDGET,
    AUTOSCALER,
    NETWORK_POLICY,
    INGRESS,
)
"""The kinds of which a RerankerDeployment owns objects. One that isn't wanted any more is pruned, so a kind stays in
this list as long as an older operator may have left some."""

OPTIONAL_CHILDREN: tuple[Kind, ...] = (SCALED_OBJECT, POD_MONITOR, HTTP_ROUTE)
"""More of them, where the cluster has these kinds: they come with other products. They are not watched, since a watch
of a kind that isn't there never begins; a change of them by hand is seen at the next pass."""

RESOURCES: tuple[Kind, ...] = (RERANKER_DEPLOYMENT, RERANKER_BENCHMARK)
"""The operator's own API."""

WATCHED: tuple[Kind, ...] = (*RESOURCES, *CHILDREN, JOB, POD)

_BY_NAME = {(kind.api_version, kind.kind): kind for kind in (*WATCHED, *OPTIONAL_CHILDREN, EVENT, LEASE)}


def kind_of(manifest: dict[str, object]) -> Kind:
    """The kind of an object that says what it is."""
    return _BY_NAME[str(manifest["apiVersion"]), str(manifest["kind"])]
