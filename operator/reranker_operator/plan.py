"""What a pass should do, decided from what it read. Pure: reading and doing stand in `reconcile`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from reranker_operator import desired, reasons
from reranker_operator.api.deployment import RerankerDeploymentSpec
from reranker_operator.gpu import (
    DoesNotFitError,
    DTypeUnsupportedError,
    ProfileNotFoundError,
    check_fit,
    profile_of,
)
from reranker_operator.kinds import AUTOSCALER, CONFIG_MAP, HTTP_ROUTE, SCALED_OBJECT, Kind
from reranker_operator.names import API_VERSION, KIND, baseline_name, labels
from reranker_operator.settings import Settings
from reranker_operator.status import SPEC_VALID, Verdict

Object = dict[str, Any]
Identity = tuple[str, str]
"""Kind and name of a child."""


class LeftoverError(Exception):
    """A child of an earlier resource of the same name is still there; the garbage collector is about to remove it."""


@dataclass(frozen=True)
class Plan:
    """What to apply, in order, and what to delete. Both are empty where the spec isn't carried out."""

    verdict: Verdict
    apply: Sequence[Object] = ()
    delete: Sequence[Object] = ()
    target: desired.Target | None = None
    """What the objects were built from."""

    @property
    def delete_first(self) -> Sequence[Object]:
        """What has to go before anything is applied: KEDA refuses to scale what another autoscaler scales."""
        if all(manifest["kind"] != SCALED_OBJECT.kind for manifest in self.apply):
            return []
        return [child for child in self.delete if child["kind"] == AUTOSCALER.kind]

    def turned_down(self, verdict: Verdict) -> "Plan":
        """The plan that leaves everything as it is."""
        return Plan(verdict)


def make_plan(
    resource: Object,
    children: Sequence[Object],
    settings: Settings,
    optional_kinds: frozenset[Kind] = frozenset(),
    mounted: frozenset[str] = frozenset(),
) -> Plan:
    """What to do about a RerankerDeployment. An unusable spec gives a plan that touches nothing: what runs goes on.

    Args:
        resource: the RerankerDeployment.
        children: what it owns.
        settings: the operator's.
        optional_kinds: those that the cluster has.
        mounted: the names of the ConfigMaps that pods mount, or would if their ReplicaSet were scaled up again.
    """
    try:
        target, verdict = _accept(resource, settings, optional_kinds)
    except _UnusableError as error:
        return Plan(error.verdict)
    wanted = desired.objects(target)
    kept = {identity(manifest) for manifest in wanted}
    # The baselines' ConfigMap is made from what pods say, not from the spec: it stays as long as its owner.
    kept |= {(CONFIG_MAP.kind, name) for name in (*mounted, baseline_name(target.name))}
    return Plan(verdict, wanted, [child for child in children if identity(child) not in kept], target)


class _UnusableError(Exception):
    """The spec can't be carried out."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.verdict = Verdict(reason, message)


def _accept(resource: Object, settings: Settings, optional_kinds: frozenset[Kind]) -> tuple[desired.Target, Verdict]:
    try:
        spec = RerankerDeploymentSpec.model_validate(resource["spec"])
        profile = profile_of(spec, settings.gpu_profiles)
        doubt = check_fit(spec, profile)
    except ValidationError as error:
        faults = "; ".join(f"spec.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise _UnusableError(reasons.INVALID_SPEC, faults) from error
    except ProfileNotFoundError as error:
        raise _UnusableError(reasons.PROFILE_NOT_FOUND, str(error)) from error
    except DTypeUnsupportedError as error:
        raise _UnusableError(reasons.DTYPE_UNSUPPORTED, str(error)) from error
    except DoesNotFitError as error:
        raise _UnusableError(reasons.DOES_NOT_FIT, str(error)) from error
    if spec.expose is not None and spec.expose.http_route is not None and HTTP_ROUTE not in optional_kinds:
        message = "expose.httpRoute needs the Gateway API, whose HTTPRoute this cluster does not serve"
        raise _UnusableError(reasons.KIND_MISSING, message)
    metadata = resource["metadata"]
    target = desired.Target(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        spec=spec,
        profile=profile,
        settings=settings,
        optional_kinds=optional_kinds,
    )
    return target, SPEC_VALID if doubt is None else _in_doubt(doubt)


def _in_doubt(doubt: str) -> Verdict:
    message = f"the spec is valid and is carried out; whether the model fits the GPU can't be told: {doubt}"
    return Verdict(reasons.FIT_UNKNOWN, message)


def identity(manifest: Mapping[str, Any]) -> Identity:
    """Kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]


def controller_of(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The owner reference of the controller, if there is one."""
    references = manifest["metadata"].get("ownerReferences", ())
    return next((reference for reference in references if reference.get("controller")), None)


def _labels(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = manifest["metadata"].get("labels") or {}
    return found


def is_owned(manifest: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
    """Whether the object is a child of this very resource."""
    controller = controller_of(manifest)
    return controller is not None and controller["uid"] == resource["metadata"]["uid"]


def conflict(existing: Mapping[str, Any], resource: Mapping[str, Any]) -> Verdict | None:
    """The verdict where an object of a child's name isn't ours; None where it is.

    One that bears our labels and has no controller was orphaned, and is adopted.

    Raises:
        LeftoverError: it belonged to an earlier resource of this name and will go by itself.
    """
    if is_owned(existing, resource):
        return None
    kind, name = identity(existing)
    controller = controller_of(existing)
    if controller is None and labels(resource["metadata"]["name"]).items() <= _labels(existing).items():
        return None
    mine = (API_VERSION, KIND, resource["metadata"]["name"])
    if controller is not None and (controller["apiVersion"], controller["kind"], controller["name"]) == mine:
        raise LeftoverError(f"{kind} {name} of an earlier {KIND} of this name is still there")
    owner = f"belongs to {controller['kind']} {controller['name']}" if controller is not None else "is there already"
    return Verdict(reasons.NAME_CONFLICT, f"{kind} {name} {owner}; delete it, or give this {KIND} another name")
