"""Writes the JSON Schema of the results file, generated from the models that write it.

`python -m reranker_bench.schema docs/results/schema` writes the newest version's; those of older versions stay as they
were, beside it, for whoever reads old files without this tool.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reranker_bench.results import Results


def newest() -> tuple[int, dict[str, Any]]:
    """The newest version's number and schema."""
    version: int = Results.model_fields["schema_version"].default
    schema = Results.model_json_schema(mode="serialization")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"reranker-bench results, version {version}",
    }
    return version, head | {name: value for name, value in schema.items() if name != "title"}


def main(folder: Path) -> int:
    """Write it into the folder as `results-v<version>.json`."""
    version, schema = newest()
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    (folder / f"results-v{version}.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
