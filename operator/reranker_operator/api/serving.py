"""The parts of a RerankerDeployment about serving: limits, keys, the score check, rollouts, scaling."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel, Duration, Name, above_zero, duration_between, rule, with_rules
from reranker_operator.api.model import SecretKeyRef


class Autoscaling(ApiModel):
    """How many pods there are, decided by the work that waits. Needs KEDA, or an adapter that serves pods' metrics."""

    model_config = with_rules(
        rule("self.minReplicas <= self.maxReplicas", "minReplicas must not exceed maxReplicas"),
    )

    min_replicas: int = Field(default=1, ge=1, json_schema_extra={"format": "int32"})
    """The fewest pods. At least 1: what waits is counted by the pods, so without any nothing would start them."""
    max_replicas: int = Field(ge=1, le=1000, json_schema_extra={"format": "int32"})
    """The most pods."""
    target_queued_documents: int = Field(default=400, ge=1, le=10000000, json_schema_extra={"format": "int32"})
    """How many documents may wait per pod, on average, before pods are added."""


class Limits(ApiModel):
    """What the service accepts."""

    model_config = with_rules(
        rule(
            "self.maxQueuedDocuments >= self.maxDocuments",
            "maxQueuedDocuments must be at least maxDocuments, or the largest request is never accepted",
        )
    )

    max_documents: int = Field(default=1000, ge=1, le=100000)
    """The most documents in one request; a larger one is refused."""
    max_document_tokens: int | None = Field(default=None, ge=1, le=40960)
    """Longer documents are cut to so many tokens, and the answer says so. Otherwise to what the prompt leaves of
    maxModelLen."""
    max_queued_documents: int = Field(default=10000, ge=1, le=10000000)
    """The most documents that wait in one pod; a request beyond that is answered with 429."""
    max_queued_tokens: int | None = Field(default=None, ge=1, le=10000000000)
    """The most tokens of prompts that wait in one pod; a request beyond that is answered with 429. Otherwise only
    documents are counted."""
    max_body_bytes: int = Field(default=16777216, ge=1024, le=1073741824)
    """The largest body of a request in bytes; a larger one is answered with 413."""
    request_timeout: Duration = Field(default="60s", json_schema_extra=duration_between("1s", "1h", "requestTimeout"))
    """How long a request may take before it is answered with an error, such as 60s."""


class Auth(ApiModel):
    """Who may ask: with it, every request needs `Authorization: Bearer <key>`."""

    api_key_secret_ref: SecretKeyRef
    """The Secret's key holds the API keys, one a line. They are read again when the Secret changes: to rotate, add the
    new key, move the clients, remove the old one."""
    protect_metrics: bool = False
    """Whether /metrics needs a key, too. Prometheus then needs one, and so does an autoscaler that asks the pods."""


class ScoreCheck(ApiModel):
    """The proof that a pod ranks as it should, made before it takes requests; see the condition ScoringVerified."""

    model_config = with_rules(
        rule("!(self.mode == 'off' && has(self.goldenSetConfigMap))", "with mode off a goldenSetConfigMap has no use")
    )

    mode: Literal["enforce", "warn", "off"] = "enforce"
    """What a failed check means. enforce: the pod never takes requests, the former ones go on; warn: it does, and the
    condition tells; off: no check."""
    golden_set_config_map: Name | None = None
    """A ConfigMap in the same namespace whose key golden.json says which documents must come before which. Without it
    the model's own golden.json is used, if it brings one. Pods read it when they start."""
    max_drift: float = Field(default=0.25, le=100, json_schema_extra=above_zero("maxDrift"))
    """How far a score may be, in log-odds, from the first one of the same model, revision and instruction: across
    backends, images and GPUs."""


class Rollout(ApiModel):
    """How pods are replaced."""

    strategy: Literal["Surge", "InPlace"] = "Surge"
    """Surge starts a new pod before an old one goes (needs a spare GPU); InPlace ends an old pod first."""
    drain_timeout: Duration = Field(default="30s", json_schema_extra=duration_between("1s", "30m", "drainTimeout"))
    """How long a pod that ends may take to finish the requests that it has accepted, such as 30s."""
    progress_deadline: Duration = Field(
        default="35m", json_schema_extra=duration_between("30s", "24h", "progressDeadline")
    )
    """How long a rollout may go without a further pod that serves, the download of image and model included, before
    Progressing says ProgressDeadlineExceeded. Pods go on being tried."""


class LocalObjectReference(ApiModel):
    """Another object in the same namespace."""

    name: Name
    """The object's name."""


HostName = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
"""A DNS name, with a star in place of its first part where all are meant."""
