"""Which paths carry work, as opposed to probes and descriptions, and which need no API key: what the gate goes by."""

RERANK_PATHS = ("/rerank", "/v1/rerank", "/v2/rerank")
VOYAGE_PATH = "/voyage/v1/rerank"
INFINITY_PATH = "/infinity/rerank"
INFINITY_PATHS = frozenset({"/rerank", INFINITY_PATH})
MIXEDBREAD_PATH = "/v1/reranking"
SCORE_PATHS = ("/score", "/v1/score")

WORK_ROUTES = frozenset({*RERANK_PATHS, VOYAGE_PATH, INFINITY_PATH, MIXEDBREAD_PATH, *SCORE_PATHS})

METRICS_PATH = "/metrics"
AUTH_PATH = "/v1/cluster/auth"
_HEALTH_ROUTES = frozenset({"/livez", "/readyz", "/health"})
# These need no API key, whatever is configured: the kubelet and the operator have none, and Xinference's client asks
# without one whether it has to send one.
OPEN_ROUTES = _HEALTH_ROUTES | {AUTH_PATH}
# Asked every few seconds by machines, so that a log line for each would only hide the others.
PROBE_ROUTES = _HEALTH_ROUTES | {METRICS_PATH}
