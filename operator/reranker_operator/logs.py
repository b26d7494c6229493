"""How the operator logs: one JSON object a line, or text for people."""

import json
import logging
import sys
from datetime import UTC, datetime

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
FORMATS = ("json", "text")


class JsonFormatter(logging.Formatter):
    """time, level, logger, message and, where there is one, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str, log_format: str) -> None:
    """Set logging up for the whole process.

    Raises:
        ValueError: for a level or a format that doesn't exist; it names those that do.
    """
    if log_format not in FORMATS:
        raise ValueError(f"{log_format!r} is no log format: use one of {', '.join(FORMATS)}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("kopf").setLevel(logging.WARNING)
    sys.unraisablehook = _log_unraisable


def _log_unraisable(ignored: "sys.UnraisableHookArgs") -> None:
    """Errors that nothing can catch are log records, too, not lines of another format in between."""
    logging.getLogger(__name__).error("an error is ignored in %r: %r", ignored.object, ignored.exc_value)
