"""Command line: train the demonstration reranker, evaluate it, or assemble its checkpoint folder."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from reranker_tiny import model
from reranker_tiny.assemble import assemble
from reranker_tiny.tokenizer import TokenizerError, ensure_tokenizer


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status: 1 if an evaluation stays below the floor, 2 for other failures."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        if options.command == "train":
            return _train(options)
        if options.command == "assemble":
            assemble(options.output, weights_folder=options.weights, tokenizer=options.tokenizer)
            print(f"{options.output}: complete checkpoint")
            return 0
        if options.command == "golden":
            return _golden(options)
        return _evaluate(options)
    except (TokenizerError, ValueError, OSError) as error:
        print(f"reranker_tiny: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reranker_tiny", description=__doc__)
    parser.add_argument("--evaluate", dest="command", action="store_const", const="evaluate", help="same as `evaluate`")
    commands = parser.add_subparsers(dest="command")
    train = commands.add_parser("train", help="train from scratch and write the weights that are shipped")
    train.add_argument("--steps", type=int, default=None)
    train.add_argument("--seed", type=int, default=None)
    train.add_argument("--threads", type=int, default=1, help="more are faster, but round differently")
    evaluate = commands.add_parser("evaluate", help="NDCG@10 and pairwise accuracy on held-out combinations")
    evaluate.add_argument("--checkpoint", type=Path, default=None, help="a folder; default: the shipped weights")
    evaluate.add_argument("--queries", type=int, default=200, help="queries per language (default: 200)")
    evaluate.add_argument("--threads", type=int, default=1)
    folder = commands.add_parser("assemble", help="write a complete Hugging Face checkpoint folder")
    folder.add_argument("--output", type=Path, required=True)
    golden = commands.add_parser("golden", help="choose the golden set anew, for weights that have changed")
    golden.add_argument("--threads", type=int, default=1)
    for command in (train, evaluate, folder, golden):
        command.add_argument("--weights", type=Path, default=model.WEIGHTS_FOLDER, help="folder of the shipped weights")
        command.add_argument("--tokenizer", type=Path, default=None, help="a Qwen3 tokenizer.json, instead of fetching")
    # `--evaluate` alone means the command with its defaults; without any command the help is more use than an error.
    parser.set_defaults(**vars(evaluate.parse_args([])) | {"command": None})
    return parser


def _train(options: argparse.Namespace) -> int:
    import torch  # noqa: PLC0415 - assembling must work without it

    from reranker_tiny import train  # noqa: PLC0415
    from reranker_tiny.dataset import Encoder  # noqa: PLC0415

    torch.set_num_threads(options.threads)
    steps = options.steps or train.STEPS
    seed = train.SEED if options.seed is None else options.seed
    started, started_cpu = time.monotonic(), time.process_time()
    encoder = Encoder(options.tokenizer or ensure_tokenizer())
    network = train.train(encoder, steps=steps, seed=seed, report=lambda line: print(line, flush=True))
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - started_cpu
    train.save(network, train.metadata(seed, steps, seconds, cpu_seconds), options.weights)
    print(f"{options.weights}: written after {seconds:.0f} s ({cpu_seconds:.0f} s of processor time)")
    return 0


def _golden(options: argparse.Namespace) -> int:
    import torch  # noqa: PLC0415

    from reranker_tiny import evaluate, golden  # noqa: PLC0415

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="tiny-reranker-") as folder:
        assemble(Path(folder), weights_folder=options.weights, tokenizer=options.tokenizer)
        path = golden.write(evaluate.Scorer(Path(folder)), options.weights)
    print(f"{path}: written")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    import torch  # noqa: PLC0415

    from reranker_tiny import evaluate  # noqa: PLC0415

    torch.set_num_threads(options.threads)
    if options.checkpoint is not None:
        rows = evaluate.evaluate(options.checkpoint, queries=options.queries)
    else:
        with tempfile.TemporaryDirectory(prefix="tiny-reranker-") as folder:
            assemble(Path(folder), weights_folder=options.weights, tokenizer=options.tokenizer)
            rows = evaluate.evaluate(Path(folder), queries=options.queries)
    print(evaluate.table(rows))
    return 0 if evaluate.passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
