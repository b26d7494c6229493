"""The parts of a RerankerDeployment that say who reaches it: from within the cluster and from outside."""

from typing import Annotated

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel, Name, Opaque, rule, with_rules
from reranker_operator.api.serving import HostName


class NetworkPolicy(ApiModel):
    """Who may reach the pods. Needs a network plugin that heeds NetworkPolicies."""

    model_config = with_rules(
        rule("self.enabled || !has(self.allowFrom)", "allowFrom has no effect unless enabled is true")
    )

    enabled: bool = False
    """Whether only those below may reach the pods, beside the operator, benchmark Jobs and Prometheus."""
    allow_from: list[Opaque] | None = Field(default=None, max_length=64)
    """The clients, as NetworkPolicyPeers (podSelector, namespaceSelector, ipBlock); otherwise every pod of the same
    namespace. An ingress controller or gateway has to be named."""


class Ingress(ApiModel):
    """An Ingress to the Service."""

    host: HostName
    """The host name under which it is reached."""
    class_name: Name | None = None
    """The IngressClass; otherwise the cluster's default."""
    path: Annotated[str, StringConstraints(min_length=1, max_length=512, pattern="^/")] = "/"
    """The path below which it is reached. Paths are handed on as they are."""
    tls_secret_name: Name | None = None
    """The Secret with certificate and key for the host; without it there is no TLS."""
    annotations: dict[str, str] | None = Field(default=None, max_length=64)
    """Annotations of the Ingress: what its controller understands, such as body sizes and timeouts."""


class HttpRoute(ApiModel):
    """An HTTPRoute of the Gateway API to the Service. TLS is the Gateway's."""

    parent_refs: list[Opaque] = Field(min_length=1, max_length=32)
    """The Gateways (name, namespace, sectionName), as in an HTTPRoute's spec."""
    hostnames: list[HostName] | None = Field(default=None, max_length=16)
    """The host names under which it is reached; otherwise those of the Gateway's listeners."""
    path: Annotated[str, StringConstraints(min_length=1, max_length=512, pattern="^/")] = "/"
    """The path below which it is reached. Paths are handed on as they are."""
    annotations: dict[str, str] | None = Field(default=None, max_length=64)
    """Annotations of the HTTPRoute."""


class Expose(ApiModel):
    """How it is reached from outside of the cluster; exactly one of the members."""

    model_config = with_rules(
        rule("has(self.ingress) != has(self.httpRoute)", "exactly one of ingress and httpRoute must be given")
    )

    ingress: Ingress | None = None
    """By an Ingress."""
    http_route: HttpRoute | None = None
    """By an HTTPRoute, where the cluster has the Gateway API."""
