"""The Kubernetes operator: turns a RerankerDeployment into running, observable reranker pods."""
