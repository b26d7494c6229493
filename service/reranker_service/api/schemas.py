"""Request and response bodies of `POST /rerank`.

Unknown fields are ignored, as every reranker server does: clients send fields of other servers (`truncate`, `user`,
`max_chunks_per_doc`, ...) and expect to be served. `null` means "not given" for every optional field.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

DOCUMENT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    ]
}

NOT_UNICODE = "is no valid Unicode text: it holds half of a surrogate pair"


def _texts(value: Any) -> Any:
    """Documents as plain strings; an object stands for its `text`."""
    if not isinstance(value, list):
        raise PydanticCustomError("documents", "must be a list of strings or of objects with a text field")
    return [_text(index, document) for index, document in enumerate(value)]


def _text(index: int, document: Any) -> str:
    text = document.get("text") if isinstance(document, dict) else document
    if not isinstance(text, str):
        example = '{"text": "..."}'
        raise PydanticCustomError(
            "document", "must be a string, or an object like {example}", {"index": index, "example": example}
        )
    if not _is_unicode(text):
        raise PydanticCustomError("not_unicode", NOT_UNICODE, {"index": index})
    return text


def _is_unicode(text: str) -> bool:
    """JSON can spell half of a surrogate pair, which is no character and has no tokens."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unicode(value: str) -> str:
    if not _is_unicode(value):
        raise PydanticCustomError("not_unicode", NOT_UNICODE)
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be empty")
    return _unicode(value)


def _some(value: list[str]) -> list[str]:
    if not value:
        raise PydanticCustomError("no_documents", "must not be empty; send at least one document")
    return value


def _at_least_one(value: int) -> int:
    if value < 1:
        raise PydanticCustomError("top_n", "must be at least 1; leave it out to get all documents")
    return value


class RerankRequest(BaseModel):
    """A query and the documents to rank by it."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[str, AfterValidator(_not_blank), Field(description="What to rank by")]
    documents: Annotated[
        list[str],
        BeforeValidator(_texts),
        AfterValidator(_some),
        WithJsonSchema({"type": "array", "items": DOCUMENT_SCHEMA, "minItems": 1}),
        Field(description='Strings, or objects like {"text": "..."}'),
    ]
    top_n: Annotated[
        Annotated[int, AfterValidator(_at_least_one)] | None,
        Field(description="Return only so many; all when left out"),
    ] = None
    return_documents: Annotated[bool | None, Field(description="Whether results carry their text")] = None
    instruction: Annotated[
        Annotated[str, AfterValidator(_not_blank)] | None,
        Field(description="What relevant means, instead of the configured instruction"),
    ] = None
    raw_scores: Annotated[bool | None, Field(description="Log-odds instead of probabilities")] = None


class DocumentText(BaseModel):
    """A document as it comes back when it was asked for."""

    text: str


class RerankResult(BaseModel):
    """One ranked document. `truncated` is there, and true, only if the document was cut to fit the model."""

    index: Annotated[int, Field(description="Place of the document in the request")]
    relevance_score: Annotated[float, Field(description="Probability of relevance, or log-odds with raw_scores")]
    truncated: bool | None = None
    document: DocumentText | None = None


class Usage(BaseModel):
    """Tokens that were scored, prompts included; an exact duplicate counts once."""

    prompt_tokens: int
    total_tokens: int


class RerankResponse(BaseModel):
    """Results from the most to the least relevant; equal scores keep the request's order."""

    id: str
    model: str
    results: list[RerankResult]
    usage: Usage


class ErrorDetail(BaseModel):
    """What went wrong, in the form OpenAI clients read."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorResponse(BaseModel):
    """The same text in the three places client libraries look for it."""

    error: ErrorDetail
    detail: str
    message: str
