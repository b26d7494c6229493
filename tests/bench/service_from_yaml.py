"""A service for the matrix's tests: it is what its YAML file says, and reads that again with each question."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

CONFIG, PORT = Path(sys.argv[1]), int(sys.argv[2])


def rerank() -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(CONFIG.read_text())["services"]["rerank"]
    return settings


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """The log is for what a test looks for."""

    def do_GET(self) -> None:
        settings = rerank()
        block = settings["backends"].get(settings["backend"], {})
        health = {"status": "ok", "backend": settings["backend"]}
        self.reply(health | {"instruction_format": block.get("instruction_format", "compact")})

    def do_POST(self) -> None:
        documents = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["documents"]
        self.reply({"results": [{"index": index, "relevance_score": 0.5} for index in range(len(documents))]})

    def reply(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if rerank()["backend"] == "broken":
    sys.exit("no such engine: broken")
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
