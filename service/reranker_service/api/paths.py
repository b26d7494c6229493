"""Which paths carry work, as opposed to probes and descriptions: the gate limits, counts and drains these."""

RERANK_PATHS = ("/rerank", "/v1/rerank", "/v2/rerank")
VOYAGE_PATH = "/voyage/v1/rerank"
INFINITY_PATH = "/infinity/rerank"
INFINITY_PATHS = frozenset({"/rerank", INFINITY_PATH})
MIXEDBREAD_PATH = "/v1/reranking"
SCORE_PATHS = ("/score", "/v1/score")

WORK_ROUTES = frozenset({*RERANK_PATHS, VOYAGE_PATH, INFINITY_PATH, MIXEDBREAD_PATH, *SCORE_PATHS})
