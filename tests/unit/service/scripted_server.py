"""A whole server process around a scripted engine: `python -m tests.unit.service.scripted_server '<JSON>'`.

The JSON object has `model_name`, `port`, the server's keys in `server`, and what the engine does: `score_s`
(seconds per call), `hang` (calls never return), `load_s`, `load_error`; its `score_check` is the section of that name.
"""

import json
import sys
import time
from typing import Any

from tests.unit.service.scripted import ScriptedEngine

from reranker_service.engines.protocol import Checkpoint, EngineLoadError
from reranker_service.logs import configure_logging
from reranker_service.run import serve
from reranker_service.settings import ScoreCheckKeys, ServerKeys, Settings


class SlowEngine(ScriptedEngine):
    def __init__(self, script: dict[str, Any]) -> None:
        super().__init__(batch_documents=10)
        self.script = script

    def load(self, checkpoint: Checkpoint, on_step: Any) -> None:
        time.sleep(self.script.get("load_s", 0))
        if "load_error" in self.script:
            raise EngineLoadError("OutOfMemory", self.script["load_error"])
        super().load(checkpoint, on_step)

    def score(self, prompts: list[list[int]]) -> list[float]:
        if len(self.calls) >= 3:  # after the warm-up
            time.sleep(3600 if self.script.get("hang") else self.script.get("score_s", 0))
        return super().score(prompts)


if __name__ == "__main__":
    script = json.loads(sys.argv[1])
    configure_logging("info")
    server = ServerKeys.model_validate({"host": "127.0.0.1", "port": script["port"], **script.get("server", {})})
    settings = Settings(
        model_name=script["model_name"],
        infer_batch_size=10,
        server=server,
        score_check=ScoreCheckKeys.model_validate(script.get("score_check", {"mode": "off"})),
    )
    serve(settings, SlowEngine(script))
