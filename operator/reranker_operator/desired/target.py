"""What the builders build from."""

from dataclasses import dataclass
from typing import Any

from reranker_operator.api.base import parse_duration
from reranker_operator.api.deployment import RerankerDeploymentSpec
from reranker_operator.kinds import Kind
from reranker_operator.names import API_VERSION, KIND, labels
from reranker_operator.settings import GpuProfile, Settings

PRE_STOP_SECONDS = 5
"""How long a pod that ends goes on serving before it is told to: Services forget it meanwhile."""
ACCEPT_SECONDS = 3
"""How long the service accepts requests after that, closing each connection: clients that still hold one move on."""
SLACK_SECONDS = 10
"""What is left for the engine's end after the drain."""


@dataclass(frozen=True)
class Target:
    """One RerankerDeployment whose spec was accepted, and what was decided for it."""

    name: str
    namespace: str
    uid: str
    spec: RerankerDeploymentSpec
    profile: GpuProfile
    settings: Settings
    optional_kinds: frozenset[Kind] = frozenset()
    """Which of the kinds that come with other products this cluster has."""

    def has(self, kind: Kind) -> bool:
        """Whether the cluster has an optional kind."""
        return kind in self.optional_kinds

    @property
    def drain_seconds(self) -> float:
        """How long accepted requests may take once the pod ends, in seconds."""
        return parse_duration(self.spec.rollout.drain_timeout).total_seconds()

    def metadata(self, name: str) -> dict[str, Any]:
        """The metadata of a child: its labels, and the owner with whom it is garbage-collected."""
        owner = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": labels(self.name),
            "ownerReferences": [owner],
        }
