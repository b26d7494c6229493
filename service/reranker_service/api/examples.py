"""Request bodies that the OpenAPI schema shows, one for each way to ask."""

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
