"""What a client library is asked to do, in one form for all of them.

Adapters import their library inside their methods: the tests read the list of adapters in an environment that has none
of the libraries.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Environment = Literal["newest", "held"]
MODEL = "any-model"


@dataclass(frozen=True)
class Hit:
    """One ranked document as the client saw it; `text` is what came back, where something did."""

    index: int
    score: float
    text: str | None = None


@dataclass(frozen=True)
class Server:
    """Where the service is, and a key for it."""

    url: str
    key: str


@dataclass(frozen=True)
class Asked:
    """What is asked of the service."""

    query: str
    documents: list[str]
    top_n: int | None = None
    return_documents: bool = False


class Adapter(ABC):
    """One way of calling the service."""

    name: ClassVar[str]
    environment: ClassVar[Environment]
    path: ClassVar[str]
    offers_documents: ClassVar[bool] = True
    """Whether the client can ask for documents to come back."""
    sends_key: ClassVar[bool] = True

    @abstractmethod
    def errors(self) -> tuple[type[BaseException], ...]:
        """The exceptions that the library raises for an error from the server."""

    @abstractmethod
    def rank(self, server: Server, asked: Asked) -> list[Hit]:
        """Ask the service, best first."""


def hits_by_text(ranked: Sequence[tuple[str, float | None]], documents: Sequence[str]) -> list[Hit]:
    """For clients that give the documents themselves back; each text occurs once."""
    return [Hit(list(documents).index(text), score or 0.0) for text, score in ranked]


def optional(**arguments: Any) -> dict[str, Any]:
    """Only the arguments that are given: what a user leaves out is not passed to the library."""
    return {name: value for name, value in arguments.items() if value is not None}


def hits_of(results: Sequence[Any]) -> list[Hit]:
    """Of results as plain mappings, in the shape of Cohere v1 and Jina."""
    return [
        Hit(result["index"], result["relevance_score"], (result.get("document") or {}).get("text"))
        for result in results
    ]
