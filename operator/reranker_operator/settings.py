"""The operator's own configuration: a YAML file that the chart renders, named by RERANKER_OPERATOR_CONFIG.

Unknown keys are errors that name the key: a misspelt value of the chart must not be ignored in silence.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from reranker_operator.api.deployment import DType
from reranker_operator.api.pods import Toleration

CONFIG_VARIABLE = "RERANKER_OPERATOR_CONFIG"
DEFAULT_PATH = Path("/etc/reranker-operator/config.yaml")


class SettingsError(Exception):
    """The configuration can't be used; the message says where and why."""


class _Settings(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class GpuProfile(_Settings):
    """What a name in `spec.gpu.type` means in this cluster. Without a resource it stands for CPUs."""

    resource: str | None = None
    """The extended resource that a pod asks for, such as nvidia.com/gpu."""
    memory_gib: float | None = Field(default=None, gt=0, alias="memoryGiB")
    """The memory of one card in GiB."""
    compute_capability: str | None = Field(default=None, pattern=r"^[0-9]+\.[0-9]+$")
    """NVIDIA's compute capability, such as 7.5. From 8.0 on a card knows bfloat16."""
    dtype: DType = "auto"
    """The data type where the spec names none."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the nodes that have the card."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of these nodes."""
    runtime_class_name: str | None = None
    """The RuntimeClass that makes the card visible in a container, where one is needed."""
    image: str | None = None
    """The service's image for this card, where it needs another one than the default."""


class Images(_Settings):
    """The default images of what the operator makes."""

    gpu: str = "reranker-service:0.1.0"
    """For pods with a GPU."""
    cpu: str = "reranker-service-cpu:0.1.0"
    """For pods without."""
    bench: str = "reranker-bench:0.1.0"
    """For the Jobs of RerankerBenchmarks."""


class PodMonitors(_Settings):
    """PodMonitors that the operator makes, one for each RerankerDeployment, where their CRD is installed."""

    enabled: bool = False
    """Whether it does. The chart's own PodMonitor finds all at once, but those whose /metrics needs a key."""
    interval: str = "15s"
    """How often Prometheus asks."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels by which a Prometheus chooses its PodMonitors."""


class NetworkAccess(_Settings):
    """Whom the NetworkPolicies of RerankerDeployments admit in any case."""

    operator_namespace: str | None = None
    """The operator's namespace; otherwise operators of every namespace are admitted."""
    prometheus: tuple[dict[str, Any], ...] = (
        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}},
    )
    """Prometheus, as NetworkPolicyPeers."""


class LeaderElection(_Settings):
    """Which of several operators works: the one that holds a Lease."""

    enabled: bool = False
    """Whether a Lease is needed; without it there must never be two operators for the same namespaces."""
    namespace: str | None = None
    """The Lease's namespace; otherwise that of the pod (POD_NAMESPACE)."""
    name: str = "reranker-operator"
    """The Lease's name."""
    lease_seconds: float = Field(default=12, ge=3)
    """A Lease that wasn't renewed for so long may be taken over."""
    renew_seconds: float = Field(default=8, ge=1)
    """An operator that couldn't renew it for so long ends: sooner than another one may take over."""
    retry_seconds: float = Field(default=2, ge=0.1)
    """How often the holder renews it, and how often the others look."""

    @model_validator(mode="after")
    def _in_order(self) -> "LeaderElection":
        if not self.retry_seconds < self.renew_seconds < self.lease_seconds:
            raise ValueError("retrySeconds < renewSeconds < leaseSeconds must hold")
        return self


class Settings(_Settings):
    """The whole configuration."""

    namespaces: tuple[str, ...] = ()
    """The namespaces to serve; empty for the whole cluster."""
    images: Images = Images()
    """The service's default images."""
    image_pull_policy: str = Field(default="IfNotPresent", pattern="^(Always|IfNotPresent|Never)$")
    """When the kubelet pulls the service's image."""
    image_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets that every pod gets, in its own namespace."""
    resync_seconds: float = Field(default=300, ge=1)
    """How often every object is reconciled though nothing was seen to change. It bounds how long a missed event can
    matter; a pass over an object at rest is a few reads."""
    prometheus_url: str | None = None
    """Where KEDA asks for the documents that wait, such as http://prometheus.monitoring:9090; otherwise it asks the
    pods themselves."""
    pod_monitors: PodMonitors = PodMonitors()
    """PodMonitors that the operator makes."""
    network_policy: NetworkAccess = NetworkAccess()
    """Whom the NetworkPolicies of RerankerDeployments admit in any case."""
    leader_election: LeaderElection = LeaderElection()
    """Which of several operators works."""
    gpu_profiles: dict[str, GpuProfile] = Field(default_factory=lambda: {"cpu": GpuProfile(dtype="float32")})
    """The names that `spec.gpu.type` may have. `cpu` is also what a spec without a GPU gets."""


def load(path: Path) -> Settings:
    """Read the configuration file.

    Raises:
        SettingsError: the file is missing, no YAML mapping, or has a key that is unknown or wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"while reading {path}: {error}") from error
    return parse(content if content is not None else {}, source=str(path))


def parse(content: object, source: str) -> Settings:
    """Check a configuration that was read from `source`.

    Raises:
        SettingsError: naming every key that is unknown or wrong.
    """
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"{source}: {faults}") from error
