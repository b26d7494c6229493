"""Times rerank servers over HTTP on one machine, at the 0.6B shape with random weights; see docs/results.

Usage: python3 -m hack.gpu.servers SERVER ..., each of `packed`, `packed-cold` (no compiled kernels kept), `vllm`,
`score`, `generate`; several joined by `+` are started together and measured one after another. Environment: LOAD_S
seconds a load test (0: none); COUNTS, FORMS, REPEAT and WARM (requests not counted); OUT where JSON and the servers'
logs go; CHECKPOINT (see `checkpoint`, which writes it); PORT; GO and TURN (see `turns`). Without a GPU, `packed` and
`score` compute on the CPU.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hack.gpu import clients
from hack.gpu.clients import Titles, body, one_by_one, summary
from hack.gpu.turns import turn

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = Path(os.environ.get("CHECKPOINT", "/tmp/packed-checkpoint"))  # noqa: S108 - as OUT
OUT = Path(os.environ.get("OUT", "/tmp/out"))  # noqa: S108 - on a machine of our own
COUNTS = tuple(map(int, os.environ.get("COUNTS", "100,200,400,600,800,1000").split(",")))
FORMS = tuple(os.environ.get("FORMS", "compact,standard").split(","))
REPEAT = int(os.environ.get("REPEAT", "7"))
WARM = int(os.environ.get("WARM", "2"))
LOAD_S = float(os.environ.get("LOAD_S", "0"))
INSTRUCTION = "Rank products by query with category & style match prioritized"
STANDARD = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
# The prompt of the service, for a server that renders templates, in the format that a request or else DEFAULT names.
# Jinja drops a template's last line break.
TEMPLATE = (
    "<|im_start|>system\n{% if (form | default('DEFAULT')) == 'standard' %}"
    + STANDARD
    + "{% else %}"
    + INSTRUCTION
    + "{% endif %}<|im_end|>\n"
    "<|im_start|>user\n<Instruct>: " + INSTRUCTION + "\n"
    "<Query>: {{ messages | selectattr('role', 'eq', 'query') | map(attribute='content') | first }}\n"
    "<Document>: {{ messages | selectattr('role', 'eq', 'document') | map(attribute='content') | first }}<|im_end|>\n"
    "<|im_start|>assistant\n<think>\n\n</think>{{ '\\n\\n' }}"
)
STARTED = time.monotonic()


def say(*words: object) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f}]", *words, flush=True)


@dataclass
class Server:
    """A running server; `ready_s` from its start to the first request it takes."""

    name: str
    form: str | None
    port: int
    process: subprocess.Popen[bytes]
    begun: float
    ready_s: float = 0.0

    def fields(self, form: str) -> dict[str, Any]:
        """Fields of a body beside query and documents."""
        if self.name == "vllm":
            return {"model": "m", "chat_template_kwargs": {"form": form}}
        return {}

    def wait(self, seconds: float) -> None:
        """Until it is ready.

        Raises:
            RuntimeError: it has ended, or it is not ready in time.
        """
        path = "/health" if self.name == "vllm" else "/readyz"
        while time.monotonic() - self.begun < seconds:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, urllib.error.URLError):
                if urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5).status == 200:
                    self.ready_s = time.monotonic() - self.begun
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} is not ready:\n" + log_of(self.name, self.form).read_text()[-6000:])

    def hits(self) -> tuple[float, float]:
        """Prompt tokens that vLLM looked up in its prefix cache so far, and those it found; zero elsewhere."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10).read().decode()
        found = {
            kind: sum(map(float, re.findall(rf"^vllm:prefix_cache_{kind}_total(?:{{.*}})? (\S+)$", text, re.MULTILINE)))
            for kind in ("queries", "hits")
        }
        return found["queries"], found["hits"]

    def stop(self) -> None:
        """End it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def log_of(name: str, form: str | None) -> Path:
    return OUT / f"{name}-{form or 'both'}.log"


def start(name: str, form: str | None, port: int, *, shared: bool) -> Server:
    """`shared`: other servers start on the same card at the same time.

    Raises:
        RuntimeError: another process listens on the port; it would be measured in this one's place.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise RuntimeError(f"port {port} is taken")
    folder = str(CHECKPOINT)
    environment = os.environ | {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    if name == "vllm":
        template = OUT / f"template-{form or 'both'}.jinja"
        template.write_text(TEMPLATE.replace("DEFAULT", form or "compact"))
        overrides = {
            "architectures": ["Qwen3ForSequenceClassification"], "classifier_from_token": ["no", "yes"],
            "is_original_qwen3_reranker": True,
        }  # fmt: skip
        command = [
            sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", folder, "--served-model-name", "m", "--runner",
            "pooling", "--convert", "classify", "--hf-overrides", json.dumps(overrides), "--max-model-len", "160",
            "--chat-template", str(template), "--gpu-memory-utilization", "0.3", "--host", "127.0.0.1",
            "--port", str(port),
        ]  # fmt: skip
    else:
        backend = {"score": "qwen3_vllm_score", "generate": "qwen3_vllm"}.get(name, "qwen3_packed")
        keys = {
            "BACKEND": backend, "MODEL_NAME": folder, "INSTRUCTION_FORMAT": form or "compact",
            "MAX_MODEL_LEN": "160", "GPU_MEMORY_UTILIZATION": "0.2", "SERVER__HOST": "127.0.0.1",
            "SERVER__PORT": str(port), "SERVER__MAX_QUEUED_DOCUMENTS": "100000",
        }  # fmt: skip
        if shared and backend != "qwen3_packed":
            # Shares that several could not have: their own memory is bounded by what is set for keys and values.
            keys |= {"GPU_MEMORY_UTILIZATION": "0.12", "ENGINE_ARGS": json.dumps({"kv_cache_memory_bytes": 4 << 30})}
        environment |= {f"RERANKER_{key}": value for key, value in keys.items()}
        command = [sys.executable, "-m", "reranker_service"]
    if name == "packed-cold":
        shutil.rmtree(Path.home() / ".triton", ignore_errors=True)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "service"), environment.get("PYTHONPATH", "")])
    OUT.mkdir(parents=True, exist_ok=True)
    with log_of(name, form).open("wb") as log:
        begun = time.monotonic()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    return Server(name, form, port, process, begun)


@contextlib.contextmanager
def running(names: list[str], port: int) -> Iterator[list[Server]]:
    """Servers that have been started together; one of ours a format, since theirs takes it from a request."""
    shared = len(names) > 1 or "TURN" in os.environ
    pairs = [(name, form) for name in names for form in ((None,) if name == "vllm" else FORMS)]
    if not shared and names[0].startswith("packed"):
        pairs = pairs[:1]
    servers = [start(name, form, port + place, shared=shared) for place, (name, form) in enumerate(pairs)]
    try:
        for server in servers:
            server.wait(400)
            say(f"{server.name} {server.form or ''} ready after {server.ready_s:.1f} s")
        yield servers
    finally:
        for server in servers:
            server.stop()


def sweep(server: Server, form: str, titles: Titles) -> dict[str, Any]:
    """Every n, WARM requests and REPEAT timed ones; fresh titles for each."""
    queries, hits = server.hits()
    rows = {}
    for count in COUNTS:
        bodies = [body(titles, count, server.fields(form)) for _ in range(WARM + REPEAT)]
        timed = one_by_one(server.port, bodies, count)[WARM:]
        rows[count] = times = [each.ms for each in timed]
        stages = {name: round(float(np.median([each.stages[name] for each in timed])), 2) for name in timed[0].stages}
        say(f"{server.name:>9} {form:>8} n={count:4}: {summary(times)} {stages or ''}")
    asked, found = (now - before for now, before in zip(server.hits(), (queries, hits), strict=True))
    rate = found / asked if asked else 0.0
    say(f"{server.name:>9} {form:>8}: prefix cache hits {rate:.1%} of {asked:.0f} tokens; titles repeated: "
        f"{titles.used_up}")  # fmt: skip
    return {"server": server.name, "format": form, "ready_s": server.ready_s, "cache_hit_rate": rate, "ms": rows}


def load(server: Server, form: str, titles: Titles) -> list[dict[str, Any]]:
    """8 and 32 clients with 100 documents each."""
    results = []
    for many in (8, 32):
        bodies = [body(titles, 100, server.fields(form)) for _ in range(900)]
        result = clients.load(server.port, bodies, 100, many, LOAD_S) | {"server": server.name, "format": form}
        say(f"{server.name:>9} {form:>8} {many:2} clients x n=100: {result['documents_per_s']:.0f} documents/s, p50 "
            f"{result['p50_ms']:.1f} ms, p99 {result['p99_ms']:.1f}, max {result['max_ms']:.1f}, "
            f"{result['requests']} requests in {result['seconds']:.0f} s")  # fmt: skip
        results.append(result)
    return results


def measure(names: list[str], titles: Titles) -> list[dict[str, Any]]:
    """All that is wanted of servers that were started together."""
    results: list[dict[str, Any]] = []
    with running(names, int(os.environ.get("PORT", "8100"))) as servers, turn():
        for server in servers:
            results += [sweep(server, form, titles) for form in ((server.form,) if server.form else FORMS)]
            if LOAD_S and server.form != "standard":
                results += load(server, "compact", titles)
    if not names[0].startswith("packed") or len(FORMS) == 1:
        return results
    # The format is part of our configuration: the other one is a start of its own, with the kernels compiled by now.
    other = start("packed", "standard", 8200, shared=False)
    try:
        other.wait(200)
        say(f"packed standard ready after {other.ready_s:.1f} s")
        results.append(sweep(other, "standard", titles))
    finally:
        other.stop()
    return results


if __name__ == "__main__":
    fresh = Titles()
    for argument in sys.argv[1:]:
        found = measure(argument.split("+"), fresh)
        (OUT / f"http-{argument}.json").write_text(json.dumps(found, indent=1))
