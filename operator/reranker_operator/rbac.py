"""What the operator may do in a cluster: the one table that the code needs and the chart's roles must equal.

It stands in code, next to the requests it allows, so that a new request and its right are one change; a test compares
the chart's rendered (Cluster)Role with it. Nothing in `RULES` is cluster-scoped, so the same table serves a Role per
namespace and a ClusterRole. Discovery needs no rule: every authenticated client has it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One rule of a Role, as Kubernetes has it."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def as_dict(self) -> dict[str, list[str]]:
        """The rule as it stands in a Role's `rules`."""
        return {
            "apiGroups": list(self.api_groups),
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }


WATCH = ("get", "list", "watch")
# Server-side apply is a patch that also creates; delete prunes a child that is no longer wanted.
OWN = ("create", "delete", "get", "list", "patch", "watch")

RULES: tuple[Rule, ...] = (
    # A benchmark makes temporary RerankerDeployments, and is deleted at the end of its time to live.
    Rule(("reranker.dev",), ("rerankerdeployments",), OWN),
    Rule(("reranker.dev",), ("rerankerbenchmarks",), ("delete", *WATCH)),
    Rule(("reranker.dev",), ("rerankerdeployments/status", "rerankerbenchmarks/status"), ("patch",)),
    # Where OwnerReferencesPermissionEnforcement is on, blockOwnerDeletion in a child needs this.
    Rule(("reranker.dev",), ("rerankerdeployments/finalizers", "rerankerbenchmarks/finalizers"), ("update",)),
    Rule(("apps",), ("deployments",), OWN),
    # Read of what rollouts have left: a configuration goes when no ReplicaSet needs it any more.
    Rule(("apps",), ("replicasets",), ("list",)),
    Rule(("autoscaling",), ("horizontalpodautoscalers",), OWN),
    Rule(("batch",), ("jobs",), OWN),
    Rule(("networking.k8s.io",), ("ingresses", "networkpolicies"), OWN),
    Rule(("policy",), ("poddisruptionbudgets",), OWN),
    Rule(("",), ("configmaps", "persistentvolumeclaims", "serviceaccounts", "services"), OWN),
    Rule(("",), ("pods",), WATCH),
    # Read of pods whose volumes can't be mounted: nothing else tells.
    Rule(("",), ("events",), ("create", "list")),
    # Where the cluster has these kinds.
    Rule(("gateway.networking.k8s.io",), ("httproutes",), OWN),
    Rule(("keda.sh",), ("scaledobjects",), OWN),
    Rule(("monitoring.coreos.com",), ("podmonitors",), OWN),
)

CLUSTER_RULES: tuple[Rule, ...] = (
    # Tells a card that no node has from one that is taken. Without this right, both are `Unschedulable`.
    Rule(("",), ("nodes",), ("list",)),
)
"""What is granted beside that where the operator serves the whole cluster."""

LEASE_RULES: tuple[Rule, ...] = (Rule(("coordination.k8s.io",), ("leases",), ("create", "get", "update")),)
"""What is granted in the operator's own namespace, for the election of a leader."""
