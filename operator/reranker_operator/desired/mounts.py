"""What is mounted into the pods beside configuration and model: API keys, the golden set, the baseline of its scores.

The service's configuration names the files, the pods' volumes bring them. Keys are read again when the Secret changes,
which works for a whole volume only, not for a single file mounted by `subPath`.
"""

import hashlib
import json
from typing import Any

from reranker_operator.desired.model import engine_model_name
from reranker_operator.desired.target import Target
from reranker_operator.names import baseline_name

ROOT = "/etc/reranker"
KEYS_FILE = f"{ROOT}/auth/keys"
GOLDEN_FILE = f"{ROOT}/golden/golden.json"
BASELINE_FILE = f"{ROOT}/baseline/baseline.json"
GOLDEN_KEY = "golden.json"
"""The key of the user's ConfigMap with the golden set."""


def baseline_key(target: Target) -> str:
    """The key of the baselines' ConfigMap with the scores that this spec's are compared with.

    It depends on what decides a score and not on what computes it: a change of backend, image or GPU is compared, one
    of model, revision, format or instruction is not.
    """
    spec = target.spec
    model = (engine_model_name(spec.model), spec.model.name, spec.model.revision)
    prompt = (spec.instruction_format, spec.instruction, spec.score_check.golden_set_config_map)
    return f"{hashlib.sha256(json.dumps([*model, *prompt]).encode()).hexdigest()[:16]}.json"


def volumes(target: Target) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The volumes, each with its mount."""
    spec = target.spec
    found = []
    if spec.auth is not None:
        reference = spec.auth.api_key_secret_ref
        secret = {"secretName": reference.name, "items": [{"key": reference.key, "path": _name(KEYS_FILE)}]}
        found.append(_mounted("auth", {"secret": secret}, KEYS_FILE))
    if spec.score_check.golden_set_config_map is not None:
        items = [{"key": GOLDEN_KEY, "path": _name(GOLDEN_FILE)}]
        golden = {"name": spec.score_check.golden_set_config_map, "items": items}
        found.append(_mounted("golden", {"configMap": golden}, GOLDEN_FILE))
    if spec.score_check.mode != "off":
        items = [{"key": baseline_key(target), "path": _name(BASELINE_FILE)}]
        # The first pod finds none: its own scores become it.
        baseline = {"name": baseline_name(target.name), "items": items, "optional": True}
        found.append(_mounted("baseline", {"configMap": baseline}, BASELINE_FILE))
    return found


def _mounted(name: str, source: dict[str, Any], file: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"name": name, **source}, {"name": name, "mountPath": file.rpartition("/")[0], "readOnly": True}


def _name(file: str) -> str:
    return file.rpartition("/")[2]
