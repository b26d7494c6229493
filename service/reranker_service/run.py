"""Puts engine, application and server together and runs them to the exit code."""

import logging
import os
import sys
from typing import NoReturn

from reranker_service.app import create_app
from reranker_service.engines.protocol import Engine
from reranker_service.failures import StartError, listen, report
from reranker_service.server import DrainingServer
from reranker_service.settings import Settings


def serve(settings: Settings, engine: Engine) -> NoReturn:
    """Serve with an engine that is not loaded yet, until drained, or until loading fails. Does not return."""
    failures: list[BaseException] = []

    def on_failed(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    try:
        listener = listen(settings.server.host, settings.server.port)
    except StartError as error:
        _leave(report(error, settings.server.termination_log))
    app = create_app(settings, engine, on_failed=on_failed)
    server = DrainingServer(app)
    server.run(sockets=[listener])
    _leave(report(failures[0], settings.server.termination_log) if failures else 0)


def _leave(code: int) -> NoReturn:
    """End the process now: an engine call that never returns, or a library's threads, must not hold it up."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
