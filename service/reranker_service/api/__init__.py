"""The HTTP edge: schemas, routes, and how errors look there."""
