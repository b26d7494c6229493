"""Times kernel variants at the 0.6B shape on one GPU, each checked first.

Usage: python3 -m hack.gpu.sweep [what ...], of products, gate, attention, last.
"""

import itertools
import multiprocessing
import sys
from multiprocessing.pool import Pool

import numpy as np
import torch

from hack.gpu import common
from hack.gpu.common import SMALL, say
from reranker_service.engines.packed import reference
from reranker_service.engines.packed.choices import AttentionChoice, ProductChoice
from reranker_service.engines.packed.kernels import GateProduct, Kernels
from reranker_service.engines.packed.plan import Part, last_tiles, plan, token_tiles

PROGRAMS = 132
LARGE = 28416


def attention_variants() -> list[tuple[AttentionChoice, bool]]:
    """Tile, block, warps and stages worth compiling, with keys prepared before or in the kernel."""
    sizes = [
        *itertools.product((16,), (32, 64), (4,), (1, 2)),
        *itertools.product((32,), (32, 64), (4,), (1, 2)),
        *itertools.product((32,), (128,), (4,), (1,)),
        *itertools.product((64,), (64,), (4, 8), (1, 2)),
    ]
    return [(AttentionChoice(*size), ready) for ready in (False, True) for size in sizes]


def gate_variants() -> list[tuple[ProductChoice, int]]:
    """Tiles of the fused product, with as many programs as multiprocessors or one a tile."""
    tiles = [
        *itertools.product((128,), (256,), (64,), (8, 16), (8,), (3, 4)),
        *itertools.product((256,), (128,), (64,), (8,), (8,), (3, 4)),
        *itertools.product((128,), (128,), (64,), (8,), (4, 8), (4,)),
    ]
    choices = [ProductChoice(*tile) for tile in tiles]
    one_a_tile = [-(-LARGE // choice.rows) * -(-6144 // choice.columns) for choice in choices]
    return [*((choice, PROGRAMS) for choice in choices), *zip(choices, one_a_tile, strict=True)]


class AttentionCase:
    """One part's projections, and what attention must make of them."""

    # The plain path's own steps are what is compared with.
    # ruff: noqa: SLF001

    def __init__(self, documents: int) -> None:
        rng = np.random.default_rng(documents)
        (self.part,) = plan([common.request(rng, documents, "compact")], 1 << 20)
        generator = torch.Generator("cuda").manual_seed(1)
        tokens = len(self.part.ids)
        self.qkv = torch.randn(tokens, 4096, generator=generator, device="cuda").bfloat16()
        self.query_norm = (0.5 + torch.rand(128, generator=generator, device="cuda")).bfloat16()
        self.key_norm = (0.5 + torch.rand(128, generator=generator, device="cuda")).bfloat16()
        self.positions, self.last = (torch.from_numpy(each).cuda() for each in (self.part.positions, self.part.last))
        self.output = torch.empty(tokens, 2048, dtype=torch.bfloat16, device="cuda")

    def run(self, choice: AttentionChoice, ready: bool, kernels: Kernels, tiles: torch.Tensor, last: bool) -> None:
        """One layer's attention; `ready` spoils the keys by preparing them again and again, which costs the same."""
        keys, values = self.qkv[:, 2048:3072], self.qkv[:, 3072:]
        if ready:
            kernels.prepare_keys(keys, self.key_norm, self.positions)
        rows = len(self.part.last) if last else len(self.part.ids)
        kernels.attend(
            self.qkv[:rows, :2048], keys, values, self.output[:rows], query_norm=self.query_norm,
            key_norm=self.key_norm, positions=self.positions, tiles=tiles,
            last=self.last if last else None, choice=choice,
        )  # fmt: skip

    def expected(self) -> torch.Tensor:
        """The same by the plain path in float32, for raw keys."""
        shell = reference.ReferenceModel.__new__(reference.ReferenceModel)
        shell._config = SMALL
        speeds = 1e6 ** (-torch.arange(64, dtype=torch.float64, device="cuda") / 64)
        angles = self.positions[:, None, None] * speeds
        rotation = angles.cos().float(), angles.sin().float()
        wide = self.qkv.float()
        queries = shell._heads(wide[:, :2048], self.query_norm.float(), rotation)
        keys = shell._heads(wide[:, 2048:3072], self.key_norm.float(), rotation)
        mixed = torch.empty_like(queries)
        for segment in self.part.segments:
            reference._attend(segment, queries, keys, wide[:, 3072:].unflatten(-1, (8, 128)), mixed)
        return mixed.flatten(1)


def tiles_of(part: Part, choice: AttentionChoice, last: bool) -> torch.Tensor:
    return torch.from_numpy(last_tiles(part) if last else token_tiles(part, choice.tile)).cuda()


def compile_attention(item: tuple[AttentionChoice, bool, bool]) -> str | None:
    """In a process of its own: fill Triton's cache, so that the timing process finds the kernel there."""
    choice, ready, last = item
    try:
        case = AttentionCase(3)
        kernels = Kernels(SMALL, positions=160, device="cuda", keys_ready=ready)
        case.run(choice, ready, kernels, tiles_of(case.part, choice, last), last)
        torch.cuda.synchronize()
    except Exception as error:  # noqa: BLE001 - a variant that does not fit is a result
        return f"{type(error).__name__}: {str(error)[:80]}"
    return None


def sweep_attention(pool: Pool, last: bool = False) -> None:
    variants = attention_variants()
    if last:
        variants = [(c, r) for c, r in variants if c.tile <= 32 and not r]
    failures = pool.map(compile_attention, [(*variant, last) for variant in variants], chunksize=1)
    say("attention compiled", sum(f is None for f in failures), "of", len(variants), set(filter(None, failures)))
    large, small = AttentionCase(1000), AttentionCase(100)
    wanted = {id(large): large.expected(), id(small): small.expected()}
    lines = []
    for (choice, ready), failure in zip(variants, failures, strict=True):
        if failure:
            continue
        kernels = Kernels(SMALL, positions=160, device="cuda", keys_ready=ready)
        figures = []
        for case in (large, small):
            tiles = tiles_of(case.part, choice, last)
            case.output.fill_(float("nan"))
            kept = case.qkv.clone()
            case.run(choice, ready, kernels, tiles, last)
            want = wanted[id(case)]
            error = float("nan") if last else float((case.output.float() - want).norm() / want.norm())
            figures += [common.median_ms(lambda: case.run(choice, ready, kernels, tiles, last), 21) * 1000, error]  # noqa: B023
            case.qkv.copy_(kept)
        lines.append((figures[0], choice, ready, figures))
    for microseconds, choice, ready, figures in sorted(lines, key=lambda line: line[0])[:16]:
        say(f"  {microseconds:7.1f} us n=1000 {figures[2]:6.1f} us n=100 err {figures[1]:.1e} {figures[3]:.1e} "
            f"keys_ready={ready} {choice}")  # fmt: skip
    best = min((line for line in lines if last or line[3][1] < 0.01), key=lambda line: line[0])
    if last:
        common.remember(last_attention=best[1])
    else:
        common.remember(attention=best[1], keys_ready=best[2])
    bad = [line for line in lines if not last and max(line[3][1], line[3][3]) > 0.01]
    say("wrong variants:", bad)
    quickest = sorted(lines, key=lambda line: line[3][2])[:4]
    say("best at n=100:", [(round(line[3][2], 1), line[2], line[1]) for line in quickest])


def compile_gate(item: tuple[ProductChoice, int]) -> str | None:
    choice, programs = item
    try:
        gate = GateProduct(choice, programs)
        states, weights = (torch.randn(n, 1024, device="cuda").bfloat16() for n in (320, 6144))
        # As many rows as the timed case modulo 16: Triton compiles multiples of 16 apart.
        output = torch.empty(320, 3072, dtype=torch.bfloat16, device="cuda")
        gate(states, gate.describe_weights(weights), output)
        torch.cuda.synchronize()
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {str(error)[:80]}"
    return None


def sweep_gate(pool: Pool) -> None:
    variants = gate_variants()
    failures = pool.map(compile_gate, variants, chunksize=1)
    say("gate compiled", sum(f is None for f in failures), "of", len(variants), set(filter(None, failures)))
    kernels = Kernels(SMALL, positions=160, device="cuda", keys_ready=False)
    for rows in (LARGE, 4224):
        states = torch.randn(rows, 1024, device="cuda").bfloat16()
        weights = (torch.randn(6144, 1024, device="cuda") / 32).bfloat16()
        output = torch.empty(rows, 3072, dtype=torch.bfloat16, device="cuda")
        pairs = torch.empty(rows, 6144, dtype=torch.bfloat16, device="cuda")
        flops = 2.0 * rows * 6144 * 1024

        def library() -> None:
            torch.mm(states, weights.t(), out=pairs)  # noqa: B023

        product = common.median_ms(library, 21)
        separate = common.median_ms(lambda: kernels.silu_mul(pairs, output), 21)  # noqa: B023
        want = output.float()
        say(f"rows {rows}: library product {product * 1000:.1f} us ({flops / product / 1e9:.0f} TFLOP/s), "
            f"gate {separate * 1000:.1f} us")  # fmt: skip
        lines = []
        for (choice, programs), failure in zip(variants, failures, strict=True):
            if failure:
                continue
            gate = GateProduct(choice, programs)
            described = gate.describe_weights(weights)
            output.fill_(float("nan"))
            gate(states, described, output)
            error = float((output.float() - want).norm() / want.norm())
            lines.append((common.median_ms(lambda: gate(states, described, output), 21), error, programs, choice))  # noqa: B023
        for milliseconds, error, programs, choice in sorted(lines, key=lambda line: line[0])[:6]:
            say(f"  {milliseconds * 1000:7.1f} us ({flops / milliseconds / 1e9:.0f} TFLOP/s) err {error:.1e} "
                f"programs {programs} {choice}")  # fmt: skip
        say("wrong variants:", [line for line in lines if not line[1] < 0.01])
        fastest = min((line for line in lines if line[1] < 0.01 and line[2] == PROGRAMS), key=lambda line: line[0])
        if rows == LARGE:
            common.remember(gate=fastest[3] if fastest[0] < product + separate else None)


def products() -> None:
    """The library's rate at a large square, and at the four products, with and without adding to the result."""
    square = torch.randn(8192, 8192, device="cuda").bfloat16()
    rate = 2 * 8192**3 / common.median_ms(lambda: square @ square, 11) / 1e9
    big = torch.randn(1 << 29, device="cuda", dtype=torch.float32)
    target = torch.empty_like(big)
    copied = common.median_ms(lambda: target.copy_(big), 11)
    say(f"8192^3 bf16: {rate:.0f} TFLOP/s; copy {2 * big.nbytes / copied / 1e9:.2f} TB/s")
    for rows in (2816, 3072, 4096, 4224, 5632, 8448, 9472, 12672, 14208, 28416):
        text = []
        total = flops = 0.0
        for name, columns, inner in (
            ("qkv", 4096, 1024),
            ("o", 1024, 2048),
            ("gate", 6144, 1024),
            ("down", 1024, 3072),
        ):
            a = torch.randn(rows, inner, device="cuda").bfloat16()
            weights = [(torch.randn(columns, inner, device="cuda") / 32).bfloat16() for _ in range(4)]
            out = torch.zeros(rows, columns, device="cuda", dtype=torch.bfloat16)

            def run() -> None:
                for weight in weights:  # noqa: B023
                    if name in ("o", "down"):  # noqa: B023
                        out.addmm_(a, weight.t())  # noqa: B023
                    else:
                        torch.mm(a, weight.t(), out=out)  # noqa: B023

            spent = common.median_ms(run, 15) / 4
            work = 2.0 * rows * columns * inner
            total, flops = total + spent, flops + work
            text.append(f"{name} {work / spent / 1e9:.0f}")
        each = f"{total * 1e6 / rows:.2f} ns a row"
        say(f"  rows {rows:6}: all {flops / total / 1e9:.0f} TFLOP/s ({', '.join(text)}); {each}")


if __name__ == "__main__":
    what = sys.argv[1:] or ["products", "gate", "attention", "last"]
    say(torch.cuda.get_device_name(), torch.__version__)
    multiprocessing.set_start_method("spawn")
    with multiprocessing.Pool(12) as pool:
        if "products" in what:
            products()
        if "gate" in what:
            sweep_gate(pool)
        if "attention" in what:
            sweep_attention(pool)
        if "last" in what:
            sweep_attention(pool, last=True)
