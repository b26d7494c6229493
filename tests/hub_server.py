"""A model hub for one model: what `huggingface_hub` asks of one, over real HTTP.

Metadata and file tree, small files at once, large ones by a redirect to a store at another port that knows ranges and
may be slow. With a token, requests without it are refused, but for those to the store, whose addresses are secrets. One
JSON line is printed for each request that was answered. Needs nothing but Python: it runs in any image that has it.
"""

import argparse
import hashlib
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse

LARGE = 2**20
"""Larger files are redirected, as those of the large file storage are."""
CHUNK = 2**16


class Model:
    """The files of a folder under a name of the hub."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.name = name
        self.files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        self.etags = {name: etag(content) for name, content in self.files.items()}
        self.commit = hashlib.sha1("".join(self.etags.values()).encode()).hexdigest()  # noqa: S324 - git's

    def info(self) -> dict:
        siblings = []
        for name, content in self.files.items():
            entry = {"rfilename": name, "size": len(content), "blobId": git_blob(content)}
            siblings.append({**entry, **self.large(name)})
        return {"_id": "1", "id": self.name, "modelId": self.name, "sha": self.commit, "siblings": siblings, "tags": []}

    def tree(self) -> list[dict]:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": git_blob(content), **self.large(name)}
            for name, content in self.files.items()
        ]

    def large(self, name: str) -> dict:
        if len(self.files[name]) < LARGE:
            return {}
        size, digest = len(self.files[name]), self.etags[name]
        return {"lfs": {"oid": digest, "sha256": digest, "size": size, "pointerSize": 134}}


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324 - git's


def etag(content: bytes) -> str:
    return git_blob(content) if len(content) < LARGE else hashlib.sha256(content).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model
    token: str | None
    bytes_per_second: float
    store_port: int
    to_break: set[str]
    """Large files whose next transfer breaks off half way."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        name = re.escape(self.model.name)
        if found := re.fullmatch("/store/([0-9a-f]+)", path):
            self.send_stored(found[1])
        elif self.token is not None and self.headers.get("Authorization") != f"Bearer {self.token}":
            message = f"Access to model {self.model.name} is restricted."
            self.send(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": message})
        elif found := re.fullmatch(f"/api/models/{name}(?:/revision/([^/]+))?", path):
            self.send_json(found[1], self.model.info())
        elif found := re.fullmatch(f"/api/models/{name}/tree/([^/]+)", path):
            self.send_json(found[1], self.model.tree())
        elif found := re.fullmatch(f"/{name}/resolve/([^/]+)/([^/]+)", path):
            self.send_file(found[1], found[2])
        else:
            self.send(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

    def send_json(self, revision: str | None, content: object) -> None:
        if revision not in (None, "main", self.model.commit):
            self.send(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev {revision}"})
            return
        self.send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def send_file(self, revision: str, name: str) -> None:
        content = self.model.files.get(name)
        if revision not in ("main", self.model.commit) or content is None:
            self.send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
            return
        headers = {"X-Repo-Commit": self.model.commit}
        digest = self.model.etags[name]
        if len(content) < LARGE:
            self.send(200, content, {**headers, "ETag": f'"{digest}"'})
            return
        linked = {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest}"'}
        host = self.headers["Host"].partition(":")[0]
        self.send(302, b"", {**headers, **linked, "Location": f"http://{host}:{self.store_port}/store/{digest}"})

    def send_stored(self, digest: str) -> None:
        content = next((self.model.files[name] for name, each in self.model.etags.items() if each == digest), None)
        if content is None:
            self.send(404, b"")
            return
        headers = {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self.send(206, content[first : last + 1], headers)
        else:
            breaks = self.command == "GET" and digest in self.to_break
            self.to_break -= {digest} if breaks else set()
            self.send(200, content, headers, limit=len(content) // 2 if breaks else None)

    def send(
        self, status: int, content: bytes, headers: dict[str, str] | None = None, limit: int | None = None
    ) -> None:
        """Answer; with a limit, so many bytes only, and then the connection ends."""
        line = {"method": self.command, "path": self.path, "status": status, "bytes": len(content)}
        sys.stdout.write(json.dumps(line) + "\n")  # at once: several threads write
        sys.stdout.flush()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.close_connection = limit is not None
        for start in range(0, len(content) if limit is None else limit, CHUNK):
            chunk = content[start : start + CHUNK]
            self.wfile.write(chunk)
            if len(content) >= LARGE:
                time.sleep(len(chunk) / self.bytes_per_second)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("name")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any; it is printed first")
    parser.add_argument("--store-port", type=int, default=0)
    parser.add_argument("--token")
    parser.add_argument("--bytes-per-second", type=float, default=float("inf"), help="of each large file")
    parser.add_argument("--break-once", action="store_true", help="break off the first transfer of each large file")
    options = parser.parse_args()
    Handler.model = Model(options.folder, options.name)
    Handler.token, Handler.bytes_per_second = options.token, options.bytes_per_second
    Handler.to_break = set(Handler.model.etags.values()) if options.break_once else set()
    store = http.server.ThreadingHTTPServer((options.host, options.store_port), Handler)
    Handler.store_port = store.server_port
    threading.Thread(target=store.serve_forever, daemon=True).start()
    server = http.server.ThreadingHTTPServer((options.host, options.port), Handler)
    print(json.dumps({"port": server.server_port, "commit": Handler.model.commit}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
