"""What a pass should do, decided from what it read. Pure: reading and doing stand in `reconcile`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from reranker_operator import desired, reasons
from reranker_operator.api.deployment import RerankerDeploymentSpec
from reranker_operator.gpu import DTypeUnsupportedError, ProfileNotFoundError, profile_of
from reranker_operator.names import API_VERSION, KIND, labels
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

    def turned_down(self, verdict: Verdict) -> "Plan":
        """The plan that leaves everything as it is."""
        return Plan(verdict)


def make_plan(resource: Object, children: Sequence[Object], settings: Settings) -> Plan:
    """Plan for a RerankerDeployment that owns these children.

    An unusable spec gives a plan that touches nothing: what was deployed last goes on.
    """
    target = _accept(resource, settings)
    if isinstance(target, Verdict):
        return Plan(target)
    wanted = desired.objects(target)
    names = {identity(manifest) for manifest in wanted}
    return Plan(SPEC_VALID, wanted, [child for child in children if identity(child) not in names])


def _accept(resource: Object, settings: Settings) -> desired.Target | Verdict:
    try:
        spec = RerankerDeploymentSpec.model_validate(resource["spec"])
        profile = profile_of(spec, settings.gpu_profiles)
    except ValidationError as error:
        faults = "; ".join(f"spec.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return Verdict(reasons.INVALID_SPEC, faults)
    except ProfileNotFoundError as error:
        return Verdict(reasons.PROFILE_NOT_FOUND, str(error))
    except DTypeUnsupportedError as error:
        return Verdict(reasons.DTYPE_UNSUPPORTED, str(error))
    metadata = resource["metadata"]
    return desired.Target(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        spec=spec,
        profile=profile,
        settings=settings,
    )


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
