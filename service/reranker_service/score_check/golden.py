"""What golden sets and baselines hold. Pure."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from reranker_service.scoring.prompts import InstructionFormat


class Case(BaseModel):
    """Documents of one query, and pairs of them whose order is certain.

    `ordered` has (better, worse, margin): the first document's log-odds must exceed the second's by at least `margin`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: Annotated[str, Field(min_length=1)]
    instruction: Annotated[str | None, Field(min_length=1)] = None
    documents: Annotated[list[str], Field(min_length=1)]
    ordered: list[tuple[int, int, Annotated[FiniteFloat, Field(ge=0)]]]

    @model_validator(mode="after")
    def _pairs_name_documents(self) -> "Case":
        for better, worse, _ in self.ordered:
            if not (0 <= better < len(self.documents) and 0 <= worse < len(self.documents)):
                raise ValueError(f"ordered: [{better}, {worse}] is outside of the {len(self.documents)} documents")
            if better == worse:
                raise ValueError(f"ordered: document {better} can't come before itself")
        return self


class GoldenSet(BaseModel):
    """A file of cases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    name: Annotated[str, Field(min_length=1)]
    cases: Annotated[list[Case], Field(min_length=1)]

    @model_validator(mode="after")
    def _something_is_ordered(self) -> "GoldenSet":
        if not self.pairs:
            raise ValueError("cases: none of them orders any documents, so that nothing could be proved")
        return self

    @property
    def pairs(self) -> int:
        """How many pairs are ordered."""
        return sum(len(case.ordered) for case in self.cases)


class Recorder(BaseModel):
    """What computed a baseline."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    backend: str
    engine_version: str


class Scoring(BaseModel):
    """What decides a score beside the engine: scores of two equal ones may be compared."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str
    revision: str | None
    instruction_format: InstructionFormat
    instruction: str
    golden_set_sha256: str

    def differences(self, other: "Scoring") -> list[str]:
        """The names of the fields in which the two differ."""
        return [name for name in Scoring.model_fields if getattr(self, name) != getattr(other, name)]


class Baseline(Scoring):
    """A file of earlier scores: `log_odds` has a list of floats, one a document, for each case of the golden set."""

    version: Literal[1]
    recorded_by: Recorder
    log_odds: list[list[FiniteFloat]]
