"""Typed models of the custom resources: the single source of the CRDs in crds/ (see `generate`)."""
