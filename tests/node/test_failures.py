"""Every way in which pods fail, caused for real, and told by conditions and Events."""

from typing import Any

import pytest
from tests.node.conftest import NAMESPACE, Node, reranker
from tests.operator.api import eventually
from tests.operator.conftest import Operator

pytestmark = pytest.mark.timeout(360)

# What is asked for; the reason of Available, and a part of its message. They are created at once and fail side by side.
FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no-image": ({"image": "localhost/no-such-image:1"}, "ImagePull", "localhost/no-such-image:1 can't be pulled"),
    "too-large": (
        {"podTemplate": {"resources": {"requests": {"cpu": 1000}}}},
        "Unschedulable",
        "Insufficient cpu",
    ),
    "no-node": (
        {"podTemplate": {"nodeSelector": {"disk": "fast"}}},
        "NoMatchingNodes",
        "no node has the labels disk=fast",
    ),
    "no-volume": (
        {"model": {"name": "mine", "source": {"pvc": {"claimName": "absent"}}}},
        "VolumeNotBound",
        '"absent" not found',
    ),
    "no-secret": (
        {"auth": {"apiKeySecretRef": {"name": "absent", "key": "keys"}}},
        "VolumeNotMounted",
        'secret "absent" not found',
    ),
    "no-token": (
        {
            "model": {
                "name": "Qwen/Qwen3-Reranker-0.6B",
                "source": {"hub": {"tokenSecretRef": {"name": "absent", "key": "token"}}},
            }
        },
        "ContainerConfig",
        'secret "absent" not found',
    ),
    "no-memory": (
        {"podTemplate": {"resources": {"limits": {"memory": "40Mi"}}}},
        "OOMKilled",
        "more memory than its limit",
    ),
    "no-model": ({"model": {"name": "/models/absent"}}, "ModelNotFound", "could not start: "),
    "bad-config": (
        {"engine": {"extraArgs": {"dtype": "float16"}}},
        "BadConfiguration",
        "engine_args may not hold dtype",
    ),
    "no-restricted": (
        {"podTemplate": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}},
        "PodsRefused",
        "violates PodSecurity",
    ),
}


@pytest.fixture(scope="module")
def failing(node: Node, operator: Operator) -> None:
    """All of them, created."""
    node.apply(*(reranker(name, **spec) for name, (spec, _, _) in FAILURES.items()))


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("name", FAILURES)
def test_failure_is_told_with_its_cause(node: Node, name: str):
    _, reason, message = FAILURES[name]
    conditions = node.wait_for(name, 120, Accepted="SpecValid", Available=reason, Progressing=reason)
    assert message in conditions["Available"]["message"]
    assert conditions["Available"]["status"] == "False"

    def told() -> bool:
        events = node.shell.get(
            "-n", NAMESPACE, "events", "--field-selector", f"involvedObject.name={name},reason={reason},type=Warning"
        )
        return bool(events["items"])

    eventually(told, "an Event tells of it")
    node.shell.run("kubectl", "-n", NAMESPACE, "delete", "rrd", name)
