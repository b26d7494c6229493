"""The proof, before the first request is taken, that this process ranks as its model should.

`golden` and `verdict` are pure: what a golden set and a baseline hold, and what scores mean against them. `files` reads
them, `check` scores them with the engine.
"""
