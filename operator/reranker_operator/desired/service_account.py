"""The ServiceAccount of the pods: an identity of their own to bind rights or security constraints to.

It has no rights, and the pods get no token: the service never speaks to the API server.
"""

from typing import Any

from reranker_operator.desired.target import Target


def service_account(target: Target) -> dict[str, Any]:
    """The ServiceAccount."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": target.metadata(target.name),
        "automountServiceAccountToken": False,
    }
