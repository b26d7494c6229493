"""The part of a RerankerDeployment that reaches through to its pods.

What Kubernetes itself validates when the pods' Deployment is applied is opaque here; what the operator merges with
its own entries is typed.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, WithJsonSchema

from reranker_operator.api.base import ApiModel, Opaque, Quantity, rule, with_rules
from reranker_operator.names import RESERVED_ANNOTATIONS, RESERVED_LABELS

OWN_VOLUMES = ("config", "tmp", "cache", "model", "shm", "auth", "golden", "baseline")
"""The names of the operator's own volumes."""

_VOLUME_NAMES = ", ".join(f"'{name}'" for name in OWN_VOLUMES)
_LABELS = ", ".join(f"'{label}'" for label in RESERVED_LABELS)
_ANNOTATIONS = ", ".join(f"'{annotation}'" for annotation in RESERVED_ANNOTATIONS)


class Toleration(ApiModel):
    """A taint that the pods tolerate."""

    key: str | None = None
    """The taint's key; empty with operator Exists tolerates all."""
    operator: Literal["Exists", "Equal", "Lt", "Gt"] | None = None
    """How the value is compared; Equal by default."""
    value: str | None = None
    """The taint's value, for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; all of them when absent."""
    toleration_seconds: int | None = None
    """For NoExecute: how many seconds a pod stays."""


class EnvVar(ApiModel):
    """An environment variable of the reranker container."""

    model_config = with_rules(
        rule("!(has(self.value) && has(self.valueFrom))", "only one of value and valueFrom may be given")
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """The variable's name. One that the operator sets as well is overridden."""
    value: Annotated[str, StringConstraints(max_length=32768)] | None = None
    """The variable's value."""
    value_from: Opaque | None = None
    """Another place to take it from: secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef."""


class Resources(ApiModel):
    """Compute resources of the reranker container."""

    requests: dict[str, Quantity] | None = Field(default=None, max_length=32)
    """What is set aside for a pod."""
    limits: dict[str, Quantity] | None = Field(default=None, max_length=32)
    """What a pod may use at most. The GPU of `gpu` is added by itself."""


class PodMetadata(ApiModel):
    """Labels and annotations of the pods."""

    labels: (
        Annotated[
            dict[str, Annotated[str, StringConstraints(max_length=63)]],
            Field(
                max_length=64,
                json_schema_extra={
                    "x-kubernetes-validations": [
                        rule(
                            f"!self.exists(key, key in [{_LABELS}])",
                            "app.kubernetes.io/name, instance, component and managed-by belong to the operator",
                        )
                    ]
                },
            ),
        ]
        | None
    ) = None
    """Labels beside the operator's own."""
    annotations: (
        Annotated[
            dict[str, str],
            Field(
                max_length=64,
                json_schema_extra={
                    "x-kubernetes-validations": [
                        rule(
                            f"!self.exists(key, key in [{_ANNOTATIONS}])",
                            f"the annotations {' and '.join(RESERVED_ANNOTATIONS)} belong to the operator",
                        )
                    ]
                },
            ),
        ]
        | None
    ) = None
    """Annotations beside the operator's own."""


NamedVolume = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 63, "description": "The volume's name."}
            },
            "x-kubernetes-preserve-unknown-fields": True,
        }
    ),
]


class PodTemplate(ApiModel):
    """What the pods get beside what the operator decides."""

    metadata: PodMetadata | None = None
    """Labels and annotations of the pods."""
    node_selector: dict[str, str] | None = Field(default=None, max_length=64)
    """Labels that a node must have; laid over those of the GPU profile."""
    tolerations: list[Toleration] | None = Field(default=None, max_length=64)
    """Taints that the pods tolerate, beside those of the GPU profile."""
    affinity: Opaque | None = None
    """Affinity of the pods, as in a Pod's spec."""
    topology_spread_constraints: list[Opaque] | None = Field(default=None, max_length=16)
    """How the pods spread over the cluster, as in a Pod's spec."""
    resources: Resources | None = None
    """Compute resources of the reranker container."""
    env: list[EnvVar] | None = Field(
        default=None,
        max_length=128,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    """Environment variables of the reranker container."""
    volumes: (
        Annotated[
            list[NamedVolume],
            Field(
                max_length=32,
                json_schema_extra={
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "x-kubernetes-validations": [
                        rule(
                            f"!self.exists(volume, volume.name in [{_VOLUME_NAMES}])",
                            f"the volume names {', '.join(OWN_VOLUMES)} belong to the operator",
                        )
                    ],
                },
            ),
        ]
        | None
    ) = None
    """Further volumes, as in a Pod's spec."""
    volume_mounts: list[Opaque] | None = Field(default=None, max_length=32)
    """Where the reranker container mounts them, as in a Pod's spec."""
    runtime_class_name: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """The pods' RuntimeClass; otherwise that of the GPU profile."""
    priority_class_name: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """The pods' PriorityClass."""
