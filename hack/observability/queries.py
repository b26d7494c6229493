"""PromQL, put together from parts, so that every panel and rule means the same by a selector or a quantile.

The service's metrics carry `namespace`, `reranker` (the RerankerDeployment) and `pod` from the scrape, `backend` and
`instruction_format` from the process. The operator's carry `namespace` and `name` of the object that they are about.
"""

RERANKER = "namespace, reranker"
"""What one RerankerDeployment's series have in common."""
SCENARIO = "backend, instruction_format"
CHOSEN = 'namespace=~"$namespace", reranker=~"$reranker", backend=~"$backend", instruction_format=~"$format"'
"""The dashboard's variables as a selector of the service's metrics."""
CHOSEN_OBJECTS = 'namespace=~"$namespace", name=~"$reranker"'
"""The same for what the operator says about objects."""
WINDOW = "$__rate_interval"
WHOLE = "$__range"
"""The time that the dashboard shows."""


def rate(metric: str, selector: str, *, by: str = "", window: str = WINDOW) -> str:
    """Per second, summed up, by these labels or over all."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{{{selector}}}[{window}]))"


def quantile(q: float, metric: str, selector: str, *, by: str = "", window: str = WINDOW) -> str:
    """A quantile of a histogram, by these labels or over all."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, {rate(f'{metric}_bucket', selector, by=labels, window=window)})"


def mean(metric: str, selector: str, *, by: str = "", window: str = WINDOW) -> str:
    """The mean of a histogram's observations."""
    total = rate(f"{metric}_sum", selector, by=by, window=window)
    return f"{total} / {rate(f'{metric}_count', selector, by=by, window=window)}"


def ratio(part: str, whole: str) -> str:
    """A part of a whole; 0 where there is neither."""
    return f"(({part}) or vector(0)) / (({whole}) > 0) or vector(0)"


def or_zero(expression: str, label: str = "", value: str = "none") -> str:
    """The expression, or one series of zeros where nothing of it was ever counted (with a label, for the legend)."""
    zero = f'label_replace(vector(0), "{label}", "{value}", "", "")' if label else "vector(0)"
    return f"{expression} or on() {zero}"
