"""The demonstration reranker: made-up products, training, evaluation, and the checkpoint folder they end in."""
