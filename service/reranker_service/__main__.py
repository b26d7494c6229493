"""`reranker-service`: reads its configuration, serves until it is told to leave.

`reranker-service check-config [FILE]` only says what is wrong with a configuration, or what it comes to.

Exit codes: 0 after a drain, 1 when the model can't be loaded or the port is taken, 2 for a bad configuration.
"""

import argparse
import logging
import os
import sys
from pathlib import Path

from reranker_service import __version__
from reranker_service.config_file import ConfigError
from reranker_service.failures import BAD_CONFIGURATION, exit_code, leave_message, termination_log_without_settings
from reranker_service.settings import load_settings, unread_variables

log = logging.getLogger("reranker_service")


def main(arguments: list[str] | None = None) -> int:
    """Run the service; the exit code is returned."""
    options = _parser().parse_args(arguments)
    if options.command == "check-config":
        from reranker_service.check_config import check_config  # noqa: PLC0415 - serving needs nothing of it

        return check_config(options.file)
    try:
        settings = load_settings()
    except ConfigError as error:
        for problem in error.problems:
            print(f"configuration error: {problem}", file=sys.stderr)
        leave_message(BAD_CONFIGURATION, str(error), termination_log_without_settings())
        return exit_code(BAD_CONFIGURATION)

    # Only now: what these import reads the environment that the settings decide about.
    from reranker_service.checkpoint import is_local  # noqa: PLC0415
    from reranker_service.engines.vllm_common import eager  # noqa: PLC0415
    from reranker_service.engines.vllm_env import is_cpu_build, prepare_environment  # noqa: PLC0415
    from reranker_service.logs import configure_logging  # noqa: PLC0415

    configure_logging(settings.server.log_level, settings.server.log_format)
    for name in unread_variables(os.environ):
        log.warning("the variable %s sets nothing", name)
    cpu = is_cpu_build()
    prepare_environment(
        cpu=cpu, local_model=is_local(settings.model_name), eager=eager(settings, cpu=cpu), environ=os.environ
    )
    from reranker_service.engines import create_engine  # noqa: PLC0415
    from reranker_service.run import serve  # noqa: PLC0415

    return serve(settings, create_engine(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reranker-service",
        description="Serve a Qwen3 reranker over HTTP.",
        epilog="Configuration: the YAML file named by RERANKER_CONFIG (default /etc/reranker/config.yaml), with "
        "RERANKER_<KEY>, RERANKER_SERVER__<KEY> and RERANKER_SCORE_CHECK__<KEY> variables on top.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    check = commands.add_parser(
        "check-config",
        help="check a configuration and print what it comes to, instead of serving",
        description="Print each problem of a configuration and exit with 2, or print it with its defaults.",
    )
    check.add_argument("file", nargs="?", type=Path, help="default: the file that would be served with")
    return parser


if __name__ == "__main__":
    sys.exit(main())
