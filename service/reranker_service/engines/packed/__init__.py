"""The packed engine: one forward pass over all documents of a request, the text they share computed once.

A rerank call needs no decoding, no key/value pool and no scheduling of single documents: it is one batch with shared
heads and two logits a document. Importing this package imports neither torch nor triton; the modules below it do.
"""
