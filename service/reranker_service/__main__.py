"""`reranker-service`: reads its configuration, serves until it is told to leave.

Exit codes: 0 after a drain, 1 when the model can't be loaded or the port is taken, 2 for a bad configuration.
"""

import argparse
import logging
import os
import sys

from reranker_service import __version__
from reranker_service.config_file import ConfigError
from reranker_service.settings import load_settings

log = logging.getLogger("reranker_service")


def main(arguments: list[str] | None = None) -> int:
    """Run the service; the exit code is returned."""
    parser = argparse.ArgumentParser(
        prog="reranker-service",
        description="Serve a Qwen3 reranker over HTTP.",
        epilog="Configuration: the YAML file named by RERANKER_CONFIG (default /etc/reranker/config.yaml), with "
        "RERANKER_<KEY> and RERANKER_SERVER__<KEY> variables on top.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.parse_args(arguments)
    try:
        settings = load_settings()
    except ConfigError as error:
        for problem in error.problems:
            print(f"configuration error: {problem}", file=sys.stderr)
        return 2

    # Only now: what these import reads the environment that the settings decide about.
    from reranker_service.checkpoint import is_local  # noqa: PLC0415
    from reranker_service.engines.vllm_common import eager  # noqa: PLC0415
    from reranker_service.engines.vllm_env import is_cpu_build, prepare_environment  # noqa: PLC0415
    from reranker_service.logs import configure_logging  # noqa: PLC0415

    configure_logging(settings.server.log_level)
    cpu = is_cpu_build()
    prepare_environment(
        cpu=cpu, local_model=is_local(settings.model_name), eager=eager(settings, cpu=cpu), environ=os.environ
    )
    from reranker_service.engines import create_engine  # noqa: PLC0415
    from reranker_service.run import serve  # noqa: PLC0415

    return serve(settings, create_engine(settings))


if __name__ == "__main__":
    sys.exit(main())
