"""The envelope of a CustomResourceDefinition: what is the same for all kinds of this API."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from reranker_operator.api.base import rule
from reranker_operator.api.schema import structural_schema
from reranker_operator.names import GROUP, VERSION

AGE = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": "Time since its creation.",
}


def column(name: str, path: str, description: str, **extra: Any) -> dict[str, Any]:
    """A column of `kubectl get`."""
    return {"name": name, "type": "string", "jsonPath": path, "description": description, **extra}


def condition(name: str, part: str) -> str:
    """The path to a part of a condition."""
    return f'.status.conditions[?(@.type=="{name}")].{part}'


@dataclass(frozen=True)
class Definition:
    """What is particular to one kind."""

    kind: str
    plural: str
    short_name: str
    description: str
    longest_name: int
    """Names of what is made for it must fit Kubernetes' limits: so many characters at most."""
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: list[dict[str, Any]]
    subresources: dict[str, Any] = field(default_factory=dict)
    """Beside `status`."""

    def crd(self) -> dict[str, Any]:
        """The CustomResourceDefinition."""
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{GROUP}"},
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": self.kind,
                    "listKind": f"{self.kind}List",
                    "plural": self.plural,
                    "singular": self.kind.lower(),
                    "shortNames": [self.short_name],
                    "categories": ["reranker"],
                },
                "versions": [
                    {
                        "name": VERSION,
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": self._schema()},
                        "subresources": {"status": {}, **self.subresources},
                        "additionalPrinterColumns": self.columns,
                    }
                ],
            },
        }

    def _schema(self) -> dict[str, Any]:
        name_rule = rule(
            f"self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && "
            f"self.metadata.name.size() <= {self.longest_name}",
            f"the name becomes that of a Service and of pods: at most {self.longest_name} lower-case letters, digits "
            "and hyphens, beginning with a letter and not ending with a hyphen",
        )
        return {
            "type": "object",
            "description": self.description,
            "required": ["spec"],
            "properties": {
                "apiVersion": {"type": "string", "description": "The version of this API."},
                "kind": {"type": "string", "description": f"Always {self.kind}."},
                "metadata": {"type": "object"},
                "spec": structural_schema(self.spec),
                "status": structural_schema(self.status),
            },
            "x-kubernetes-validations": [name_rule],
        }
