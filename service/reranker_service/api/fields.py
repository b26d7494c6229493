"""The fields that request bodies of several dialects share, each with its check and the advice that fails it.

Unknown fields are ignored, as every reranker server does: clients send fields of other servers (`user`, `priority`,
`max_chunks_per_doc`, ...) and expect to be served. `null` means "not given" for every optional field.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

NOT_UNICODE = "is no valid Unicode text: it holds half of a surrogate pair"
NO_DOCUMENTS = "must not be empty; send at least one document"

_TEXT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": True},
    ]
}


def fault(kind: str, message: str, *, param: str | None = None, index: int | None = None) -> PydanticCustomError:
    """A validation error. `param` names the field where the place of the check does not, `index` the list's item."""
    context: dict[str, Any] = {"advice": message}
    if param is not None:
        context["param"] = param
    if index is not None:
        context["index"] = index
    return PydanticCustomError(kind, "{advice}", context)


def texts_of(value: Any, info: ValidationInfo) -> Any:
    """Documents as plain strings. An object stands for its `text`, or for the fields that `rank_fields` names."""
    if not isinstance(value, list):
        raise fault("documents", "must be a list of strings or of objects with a text field")
    if not value:
        raise fault("no_documents", NO_DOCUMENTS)
    try:
        "".join(value).encode()
    except (TypeError, UnicodeEncodeError):
        rank_fields = info.data.get("rank_fields")
        return [_text(index, document, rank_fields) for index, document in enumerate(value)]
    return value  # all of them are strings, and all are Unicode


def _text(index: int, document: Any, rank_fields: list[str] | None) -> str:
    if isinstance(document, dict):
        text = _joined(document, rank_fields) if rank_fields else document.get("text")
    else:
        text = document
    if not isinstance(text, str):
        wanted = f"with one of the fields {', '.join(rank_fields)}" if rank_fields else 'like {"text": "..."}'
        raise fault("document", f"must be a string, or an object {wanted}", index=index)
    if not is_unicode(text):
        raise fault("not_unicode", NOT_UNICODE, index=index)
    return text


def _joined(document: dict[str, Any], rank_fields: list[str]) -> str | None:
    values = [document[name] for name in rank_fields if document.get(name) is not None]
    return "\n".join(map(str, values)) if values else None


def is_unicode(text: str) -> bool:
    """False for half of a surrogate pair, which JSON can spell, but which is no character and has no tokens."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unicode(value: str) -> str:
    if not is_unicode(value):
        raise fault("not_unicode", NOT_UNICODE)
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise fault("blank", "must not be empty")
    return _unicode(value)


def _count(value: int) -> int:
    if value < 1:
        raise fault("count", "must be at least 1; leave it out to get all documents")
    return value


def _tokens_per_document(value: int) -> int:
    if value < 0:
        raise fault("tokens", "must be at least 1; leave it out, or send 0, for as many as the model takes")
    return value


def _prompt_tokens(value: int) -> int:
    if value < -1 or value == 0:
        raise fault("tokens", "must be at least 1, or -1 for the model's own limit")
    return value


def _right(value: str) -> str:
    if value.lower() != "right":
        raise fault("truncation_side", "must be right: documents are cut at their end only")
    return value


Query = Annotated[str, AfterValidator(_not_blank), Field(description="What to rank by. It is never cut.")]
Texts = Annotated[
    list[str],
    BeforeValidator(texts_of),
    WithJsonSchema({"type": "array", "items": _TEXT_SCHEMA, "minItems": 1}),
]
Documents = Annotated[
    Texts,
    Field(
        description='Strings, or objects like `{"text": "..."}`. An empty document is scored like any other, so that '
        "every index of the request has a score."
    ),
]
TopN = Annotated[
    Annotated[int, AfterValidator(_count)] | None,
    Field(description="Return only so many of the best; all when left out or more than there are."),
]
RankFields = Annotated[
    list[str] | None,
    Field(description="Which fields of object documents to rank by, joined by line breaks in this order."),
]
Instruction = Annotated[
    Annotated[str, AfterValidator(_not_blank)] | None,
    Field(description="What relevant means, instead of the configured instruction."),
]
MinScore = Annotated[
    float | None,
    Field(
        allow_inf_nan=False,
        description="Leave out results below this score: a probability, or a log-odds with `raw_scores`.",
    ),
]
TokensPerDocument = Annotated[
    Annotated[int, AfterValidator(_tokens_per_document)] | None,
    Field(description="Cut each document to so many tokens; more than the model takes means as many as it takes."),
]
PromptTokens = Annotated[
    Annotated[int, AfterValidator(_prompt_tokens)] | None,
    Field(description="Cut each document so that its whole prompt has at most so many tokens; -1: the model's own."),
]
TruncationSide = Annotated[
    Annotated[str, AfterValidator(_right)] | None, Field(description="`right` is the only side that is cut.")
]
Truncation = Annotated[bool | None, Field(description="false: a document that would have to be cut is an error (422).")]
Flag = bool | None
