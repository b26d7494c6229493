"""How a start that failed is told: one line in the log, the same in Kubernetes' termination message, and an exit code.

`kubectl describe pod` shows the termination message, and the operator classifies the failure by its first word.
"""

import errno
import logging
import os
import socket
from pathlib import Path

from reranker_service.engines.protocol import EngineLoadError
from reranker_service.settings import ENV_PREFIX, ServerKeys

log = logging.getLogger(__name__)

BAD_CONFIGURATION = "BadConfiguration"
ENGINE_FAILED = "EngineFailed"
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
DEFAULT_TERMINATION_LOG = str(ServerKeys.model_fields["termination_log"].default)
# Kubernetes keeps so many bytes of a termination message.
MOST_BYTES = 4096
BACKLOG = 2048


class StartError(RuntimeError):
    """The process can't begin to serve. `reason` is one CamelCase word."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


def reason_of(error: BaseException) -> str:
    """The word that a controller classifies a failed start by."""
    reason = error.reason if isinstance(error, StartError | EngineLoadError) else ENGINE_FAILED
    # Memory runs out anywhere, in words of whoever asked for it: torch, CUDA, the C library.
    out_of_memory = isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)
    return "OutOfMemory" if reason == ENGINE_FAILED and out_of_memory else reason


def exit_code(reason: str) -> int:
    """2 where the configuration has to be changed, 1 for everything else."""
    return 2 if reason == BAD_CONFIGURATION else 1


def report(error: BaseException, termination_log: str) -> int:
    """Log a failed start and leave its reason in the termination message; returns the exit code."""
    reason = reason_of(error)
    expected = isinstance(error, StartError | EngineLoadError)
    message = one_line(str(error) if expected else repr(error))
    log.error("could not start: %s: %s", reason, message, exc_info=None if expected else error)
    leave_message(reason, message, termination_log)
    return exit_code(reason)


def leave_message(reason: str, message: str, termination_log: str) -> None:
    """Write `<reason>: <message>` where Kubernetes reads it. Outside of a pod there is no such place."""
    path = Path(termination_log)
    if termination_log == DEFAULT_TERMINATION_LOG and not path.exists():
        return
    line = f"{reason}: {one_line(message)}".encode()
    try:
        path.write_bytes(line[:MOST_BYTES].decode(errors="ignore").encode())
    except OSError as error:
        log.warning("the termination message could not be written: %s", error)


def termination_log_without_settings() -> str:
    """Where to leave the message when the configuration itself is what can't be read."""
    return os.environ.get(f"{ENV_PREFIX}SERVER__TERMINATION_LOG") or DEFAULT_TERMINATION_LOG


def one_line(text: str) -> str:
    """`text` with every run of white space as one space."""
    return " ".join(text.split())


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, taken before the model is loaded: minutes of loading for a port that is taken help nobody.

    Raises:
        StartError: PortTaken, or BadConfiguration for an address that this machine can't listen on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise StartError(BAD_CONFIGURATION, f"server.host: {host} is no address of this machine ({error})") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        # Bound alone would not do: two processes may bind to one port as long as neither listens.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError("PortTaken", f"server.port: another process listens on {host}:{port} already") from error
        raise StartError(
            BAD_CONFIGURATION, f"server.host, server.port: can't listen on {host}:{port}: {error.strerror}"
        ) from error
    listener.setblocking(False)
    return listener
