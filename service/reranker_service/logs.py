"""Logging: one line per record, to standard error. No document and no query is ever logged.

As JSON, a record is one object with `time`, `level`, `logger` and `message`; what a record carries under `fields`
stands beside them. As text, the fields follow the message as `name=value`.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any, Literal

LogFormat = Literal["json", "text"]


class _Formatter(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


class TextFormatter(_Formatter):
    """Records, tracebacks included, as single lines in UTC."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        """The line, with the record's fields behind its message."""
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + fields

    def format(self, record: logging.LogRecord) -> str:
        """Line breaks become a visible mark, so that whoever collects lines keeps a record together."""
        return super().format(record).replace("\n", "\\n")


class JsonFormatter(_Formatter):
    """Records as JSON objects, one a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The object of one record."""
        entry: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """What was logged with `extra={"fields": {...}}`."""
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    return fields


def where(error: BaseException) -> str:
    """An error's type and the places it went through, without its message: that may quote what a client sent."""
    frames = traceback.extract_tb(error.__traceback__)
    places = "; ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"


def configure_logging(level: str, log_format: LogFormat = "text") -> None:
    """Send everything to standard error; libraries only from warnings up, unless `level` is debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("reranker_service").setLevel(level.upper())
    if level == "debug":
        logging.getLogger().setLevel(logging.INFO)
