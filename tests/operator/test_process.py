"""The operator as a process: probes, ends, restarts, a lost API server, one namespace only."""

import time
from pathlib import Path

from tests.operator.api import Api, eventually
from tests.operator.conftest import CONFIG, CRD_NAME, RBAC, Operator, install_crd
from tests.operator.control_plane import NARROW_OPERATOR, OPERATOR, ControlPlane
from tests.operator.resources import reranker, service_config, wait_for

from reranker_operator.kinds import WATCHED
from reranker_operator.rbac import RULES


def length(api: Api, namespace: str) -> int | None:
    """The configured max_model_len, or None while there is no configuration."""
    config = service_config(api, namespace)
    return None if config is None else int(config["backends"]["qwen3_vllm_score"]["max_model_len"])


def served(api: Api) -> set[str]:
    """The resources of our API that are served."""
    found = api.look("/apis/reranker.dev/v1alpha1") or {"resources": []}
    return {resource["name"] for resource in found["resources"]}


def test_probes_and_metrics_answer(operator: Operator):
    assert operator.get("/livez").text == "ok"
    assert operator.get("/readyz").text == "ok"
    text = operator.get("/metrics").text
    watched = [line for line in text.splitlines() if line.startswith("reranker_operator_watch_age_seconds{")]
    assert len(watched) == len(WATCHED)
    assert "reranker_operator_leader 1.0" in text


def test_restart_picks_up_what_was_missed(api: Api, namespace: str, operator: Operator):
    api.create("rerankerdeployments", reranker(namespace))
    wait_for(api, namespace, Accepted="SpecValid")
    assert operator.stop() == 0
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": 77}})
    api.delete("services", namespace, "products")
    api.create("rerankerdeployments", reranker(namespace, "second"))
    operator.start()  # ready only when everything was looked at once
    assert length(api, namespace) == 77
    assert api.get("services", namespace, "products") is not None
    assert api.get("deployments", namespace, "second") is not None


def test_deletion_needs_no_operator(api: Api, namespace: str, operator: Operator):
    api.create("rerankerdeployments", reranker(namespace))
    wait_for(api, namespace, Accepted="SpecValid")
    assert operator.stop() == 0
    try:
        api.delete("rerankerdeployments", namespace, "products")
        eventually(lambda: not api.list("deployments", namespace), "the children are gone", within=60)
    finally:
        operator.start()


def test_lost_api_server_is_survived(api: Api, namespace: str, operator: Operator, control_plane: ControlPlane):
    api.create("rerankerdeployments", reranker(namespace))
    wait_for(api, namespace, Accepted="SpecValid")
    control_plane.stop_apiserver()
    time.sleep(1)
    control_plane.start_apiserver()
    api.patch("rerankerdeployments", namespace, "products", {"spec": {"maxModelLen": 88}})
    eventually(lambda: length(api, namespace) == 88, "the change is carried out", within=40)
    assert operator.process is not None
    operator.process.check()
    eventually(operator.is_ready, "the operator is ready again", within=40)


def test_operator_of_one_namespace_needs_rights_there_only(
    api: Api, namespace: str, operator: Operator, control_plane: ControlPlane, tmp_path: Path
):
    user, rules = {"kind": "User", "name": NARROW_OPERATOR}, [rule.as_dict() for rule in RULES]
    path, metadata = f"{RBAC}/namespaces/{namespace}", {"name": "narrow"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "narrow"}
    api.call("POST", f"{path}/roles", {"metadata": metadata, "rules": rules})
    api.call("POST", f"{path}/rolebindings", {"metadata": metadata, "roleRef": role, "subjects": [user]})
    narrow = Operator(tmp_path, control_plane.kubeconfig(NARROW_OPERATOR), {**CONFIG, "namespaces": [namespace]})
    assert operator.stop() == 0
    try:
        narrow.start()
        api.create("rerankerdeployments", reranker(namespace))
        api.create("rerankerdeployments", reranker("default", "elsewhere"))
        wait_for(api, namespace, Accepted="SpecValid")
        assert api.get("deployments", "default", "elsewhere") is None
        assert narrow.stop() == 0
    finally:
        operator.start()
        api.delete("rerankerdeployments", "default", "elsewhere")


def test_operator_waits_for_its_crd(api: Api, operator: Operator, namespace: str):
    assert operator.stop() == 0
    api.call("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD_NAME}")
    eventually(lambda: "rerankerdeployments" not in served(api), "the kind is no longer served")
    operator.start(wait=False)
    eventually(lambda: "is the CRD installed?" in operator.log(), "it says what it waits for")
    assert operator.get("/livez").status_code == 200
    assert operator.get("/readyz").status_code == 503
    install_crd(api)
    eventually(operator.is_ready, "the operator is ready", within=40)
    api.create("rerankerdeployments", reranker(namespace))
    wait_for(api, namespace, Accepted="SpecValid")


def test_wrong_configuration_ends_it_with_the_key(control_plane: ControlPlane, tmp_path: Path):
    kubeconfig = control_plane.kubeconfig(OPERATOR)
    operator = Operator(tmp_path, kubeconfig, {**CONFIG, "resyncSecond": 1})
    operator.start(wait=False)
    assert operator.process is not None
    assert operator.process.wait() == 1
    assert "resyncSecond" in operator.log()
