"""Puts engine, application and server together and runs them to the exit code."""

import logging
import os
import sys
from typing import NoReturn

from reranker_service.app import create_app
from reranker_service.engines.protocol import Engine, EngineLoadError
from reranker_service.server import DrainingServer
from reranker_service.settings import Settings

log = logging.getLogger(__name__)


def serve(settings: Settings, engine: Engine) -> NoReturn:
    """Serve with an engine that is not loaded yet, until drained, or until loading fails. Does not return."""
    failures: list[BaseException] = []

    def on_failed(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    app = create_app(settings, engine, on_failed=on_failed)
    server = DrainingServer(app)
    try:
        server.run()
        code = 0
    except SystemExit as stopped:  # uvicorn's way to say that the port is taken; it has logged why
        code = 1 if stopped.code else 0
    if failures:
        error = failures[0]
        if isinstance(error, EngineLoadError):
            log.error("the model could not be loaded: %s: %s", error.reason, error)
        else:
            log.error("the model could not be loaded: Unexpected: %r", error, exc_info=error)
        code = 1
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process now: an engine call that never returns, or a library's threads, must not hold it up."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
