"""Writes the OpenAPI schema into a file: `python -m reranker_service.api.openapi [PATH]`, without loading a model."""

import argparse
import json
from pathlib import Path

from reranker_service.app import create_app
from reranker_service.engines import create_engine
from reranker_service.settings import Settings

DEFAULT_PATH = Path("docs/openapi.json")


def schema() -> str:
    """The schema as JSON text; no setting changes it."""
    settings = Settings(model_name="any")
    document = create_app(settings, create_engine(settings)).openapi()
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write it to the path that is named, or where the repository keeps it."""
    parser = argparse.ArgumentParser(prog="python -m reranker_service.api.openapi", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
    parser.parse_args().path.write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
