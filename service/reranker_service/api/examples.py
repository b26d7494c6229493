"""Bodies that the OpenAPI schema shows: one for each way to ask, and an answer for each route."""

from typing import Any

QUERY = "健身女生T恤短袖"
DOCUMENTS = ["男士商务皮鞋", "健身女生T恤短袖 速干透气", "Running shoes for women"]


def _example(summary: str, **body: Any) -> dict[str, Any]:
    return {"summary": summary, "value": body}


RERANK: Any = {
    "shared": _example(
        "Cohere, Jina, vLLM", model="any", query=QUERY, documents=DOCUMENTS, top_n=2, return_documents=True
    ),
    "fields": _example(
        "Cohere v1: objects and the fields to rank by",
        query=QUERY,
        documents=[{"title": DOCUMENTS[0], "brand": "A"}, {"title": DOCUMENTS[1], "brand": "B"}],
        rank_fields=["title", "brand"],
    ),
    "instruction": _example(
        "An instruction and a lowest score",
        query=QUERY,
        documents=DOCUMENTS,
        instruction="Rank products by how well they suit the gym",
        min_score=0.2,
    ),
    "tei": _example("TEI", query=QUERY, texts=DOCUMENTS, return_text=True),
    "voyage": _example("Voyage", model="any", query=QUERY, documents=DOCUMENTS, top_k=2, truncation=True),
}
MIXEDBREAD: Any = {
    "input": _example("Mixedbread", model="any", query=QUERY, input=DOCUMENTS, top_k=2, return_input=True)
}
VOYAGE: Any = {"documents": _example("Voyage", model="any", query=QUERY, documents=DOCUMENTS, return_documents=True)}
INFINITY: Any = {
    "documents": _example("Infinity", model="any", query=QUERY, documents=DOCUMENTS, return_documents=True)
}
SCORE: Any = {
    "one_to_many": _example("One query, many documents", text_1=QUERY, text_2=DOCUMENTS),
    "pairs": _example("A query for each document", queries=[QUERY, "shoes", "shoes"], documents=DOCUMENTS),
}


def answer(example: Any) -> dict[int | str, dict[str, Any]]:
    """A route's description of status 200."""
    return {200: {"description": "Answered", "content": {"application/json": {"example": example}}}}


_USAGE = {"prompt_tokens": 208, "total_tokens": 208}
_MODEL = "Qwen/Qwen3-Reranker-0.6B"
RERANK_ANSWER = {
    "id": "rerank-0c7a4e0f6b1d4b6c8d3f7f0f5a1e2b3c",
    "model": _MODEL,
    "results": [
        {"index": 1, "relevance_score": 0.9871, "document": {"text": DOCUMENTS[1]}},
        {"index": 2, "relevance_score": 0.0214, "document": {"text": DOCUMENTS[2]}},
    ],
    "usage": _USAGE,
    "meta": {
        "api_version": {"version": "1"},
        "billed_units": {"search_units": 1},
        "tokens": {"input_tokens": 208, "output_tokens": 0},
    },
}
MIXEDBREAD_ANSWER = {
    "object": "list",
    "data": [{"index": 1, "score": 0.9871, "object": "rank_result", "input": DOCUMENTS[1]}],
    "model": _MODEL,
    "usage": _USAGE,
    "top_k": 1,
    "return_input": True,
}
VOYAGE_ANSWER = {
    "object": "list",
    "data": [{"index": 1, "relevance_score": 0.9871, "document": DOCUMENTS[1]}],
    "model": _MODEL,
    "usage": _USAGE,
}
INFINITY_ANSWER = {
    "object": "rerank",
    "id": "infinity-0c7a4e0f6b1d4b6c8d3f7f0f5a1e2b3c",
    "created": 1790000000,
    "model": _MODEL,
    "results": [{"index": 1, "relevance_score": 0.9871, "document": DOCUMENTS[1]}],
    "usage": _USAGE,
}
SCORE_ANSWER = {
    "id": "score-0c7a4e0f6b1d4b6c8d3f7f0f5a1e2b3c",
    "object": "list",
    "created": 1790000000,
    "model": _MODEL,
    "data": [{"index": 0, "object": "score", "score": 0.0032}, {"index": 1, "object": "score", "score": 0.9871}],
    "usage": _USAGE,
}
MODEL = {
    "id": _MODEL,
    "object": "model",
    "created": 1790000000,
    "owned_by": "reranker-service",
    "root": _MODEL,
    "parent": None,
    "max_model_len": 160,
    "model_type": "rerank",
    "model_name": _MODEL,
}
INFO = {
    "model_id": _MODEL,
    "model_sha": None,
    "model_dtype": "auto",
    "model_type": {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
    "max_concurrent_requests": 10000,
    "max_input_length": 160,
    "max_batch_tokens": 16000,
    "max_batch_requests": 100,
    "max_client_batch_size": 1000,
    "auto_truncate": True,
    "version": "0.1.0",
}
