"""The seed's matrix on a GPU by `reranker-bench`: vLLM's own server in both formats, then the service's backends.

Usage: python3 -m hack.gpu.matrix [NAMES], of vllm_serve and the backends. Results, logs and the service's configuration
go to OUT; CHECKPOINT as `servers` reads it. Each has the card to itself.
"""

import os
import subprocess
import sys

import yaml

from hack.gpu import servers
from hack.gpu.servers import CHECKPOINT, COUNTS, FORMS, OUT, ROOT, say

PORT = 8600
NAMES = "vllm_serve,qwen3_vllm_score,qwen3_vllm,qwen3_packed"
SIZES = ",".join(map(str, COUNTS))
METHOD = ("--repeat", "5", "--seed", "99", "--quiet-runs", "--timeout", "360")


def bench(*arguments: str) -> None:
    """Run `reranker-bench`; what it prints is the log of this script, too."""
    path = os.pathsep.join([str(ROOT / "bench"), os.environ.get("PYTHONPATH", "")])
    code = "import sys; from reranker_bench.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=os.environ | {"PYTHONPATH": path}, check=False)
    say(f"reranker-bench {arguments[0]}: exit status {done.returncode}")


def theirs() -> None:
    """`vllm serve`, a server for each format."""
    for form in FORMS:
        server = servers.start("vllm", form, PORT, shared=False)
        try:
            server.wait(400)
            say(f"vllm serve {form} ready after {server.ready_s:.1f} s")
            out = OUT / f"vllm_serve-{form}.json"
            url = f"http://127.0.0.1:{PORT}"
            tag = f"vllm serve, {form}"
            bench("run", url, SIZES, *METHOD, "--dialect", "vllm", "--tag", tag, "--json-summary-out", str(out))
        finally:
            server.stop()


def ours(names: list[str]) -> None:
    """The service, one scenario after another."""
    blocks = {name: {"model_name": str(CHECKPOINT), "max_model_len": 160} for name in names}
    server = {"host": "127.0.0.1", "port": PORT + 10, "max_queued_documents": 100000}
    rerank = {"backend": names[0], "backends": blocks, "server": server}
    config = OUT / "config.yaml"
    config.write_text(yaml.safe_dump({"services": {"rerank": rerank}}, sort_keys=False))
    serve = f"env RERANKER_CONFIG={config} {sys.executable} -m reranker_service"
    url = f"http://127.0.0.1:{PORT + 10}"
    scenarios = ("--backends", ",".join(names), "--formats", ",".join(FORMS), "--url", url, "--ready", "300")
    bench("matrix", str(config), SIZES, *METHOD, *scenarios, "--serve", serve, "--tag", "H100", "--out", str(OUT))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    chosen = (sys.argv[1] if len(sys.argv) > 1 else NAMES).split(",")
    if "vllm_serve" in chosen:
        theirs()
    if backends := [name for name in chosen if name != "vllm_serve"]:
        ours(backends)
