"""Logging: one line per record, to standard error, with its level. No document and no query is ever logged."""

import logging
import sys
import time


class _OneLine(logging.Formatter):
    """Records, tracebacks included, as single lines in UTC."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Line breaks become a visible mark, so that whoever collects lines keeps a record together."""
        return super().format(record).replace("\n", "\\n")


def configure_logging(level: str) -> None:
    """Send everything to standard error; libraries only from warnings up, unless `level` is debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("reranker_service").setLevel(level.upper())
    if level == "debug":
        logging.getLogger().setLevel(logging.INFO)
