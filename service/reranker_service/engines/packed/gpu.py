"""The forward pass on an NVIDIA GPU: library products, our kernels between them, nothing allocated, one copy each way.

Products take all tokens of a part at once. Parts are replayed from captured graphs: launching some 230 kernels one by
one takes longer than running them for small parts, and in a server as long for large ones. Memory that the host shares
with the device is taken once: taking it in the middle of a request waits for all that the device has been given.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reranker_service.engines.packed.choices import Choices
from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.fp8 import Fp8Layer
from reranker_service.engines.packed.fp8_products import Fp8Products
from reranker_service.engines.packed.kernels import Kernels
from reranker_service.engines.packed.plan import Part, last_tiles, token_tiles
from reranker_service.engines.packed.products import PlainProducts, Products
from reranker_service.engines.packed.upload import Inputs, Shape, fill, views
from reranker_service.engines.packed.weights import LayerWeights, ModelWeights

# Graphs are captured for multiples of so many tokens up to so many; a part is padded to the next.
GRAPH_STEPS = ((4096, 128), (8192, 256), (1 << 30, 1024))
# Room in a graph for documents, one for so many tokens, and for heads' tiles. Programs of attention for which there is
# no tile end at once, but not for nothing. A part of shorter documents takes the graph of a larger one.
TOKENS_PER_DOCUMENT = 12
# For fewer rows than these the library has kernels that add in another order: a document alone would not get the score
# that it has among others (`hack/gpu/products.py`).
LEAST_ROWS = 128
SPARE_TILES = 32
# Uploads that may be on their way at once.
UPLOADS = 4


@dataclass(slots=True)
class _Upload:
    """Memory that the host fills and the device reads; `read` is when it last has."""

    memory: Tensor
    read: Any


@dataclass(slots=True)
class _Graph:
    shape: Shape
    buffer: Tensor
    scores: Tensor
    graph: Any


class GpuModel:
    """A model on the current CUDA device.

    Args:
        config: the shape.
        weights: on the device; changed in place, see `products`.
        choices: see `choices`.
        max_tokens: most tokens of a part; buffers are made for so many.
        max_positions: longest prompt.
        quantised: the layers before those of `weights`, in 8 bits.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: ModelWeights,
        choices: Choices,
        *,
        max_tokens: int,
        max_positions: int,
        quantised: Sequence[Fp8Layer] = (),
    ) -> None:
        self._config = config
        self._weights = weights
        self._choices = choices
        self._device = weights.embedding.device
        self._kernels = Kernels(
            config, positions=max_positions, device=str(self._device), keys_ready=choices.keys_ready
        )
        self._head = weights.final_norm.float() * weights.direction
        unfused = choices.gate is None or (bool(quantised) and choices.gate_fp8 is None)
        rows = max(LEAST_ROWS, max_tokens)
        self._buffers = self._allocate(rows, pairs=unfused)
        # The last layer, whose rows are documents, is always in the plain format.
        plain = PlainProducts(weights.layers, self._kernels, choices, self._buffers)
        self._last: Products = plain
        self._products: Products = plain
        if quantised:
            self._products = Fp8Products(config, quantised, self._kernels, choices, self._buffers)
        self._layers: list[LayerWeights | Fp8Layer] = [*quantised, *weights.layers[:-1]]
        most = Shape(rows, rows, rows, rows).total
        on_gpu = self._device.type == "cuda"
        self._uploaded = torch.empty(most, dtype=torch.int32, device=self._device)
        self._uploads = deque(
            _Upload(torch.empty(most, dtype=torch.int32, pin_memory=on_gpu), torch.cuda.Event() if on_gpu else None)
            for _ in range(UPLOADS)
        )
        self._graphs: dict[int, _Graph] = {}
        self._pool: Any = None

    def _allocate(self, tokens: int, *, pairs: bool) -> dict[str, Tensor]:
        kind = self._weights.embedding
        widths = _widths(self._config)
        if not pairs:
            widths["pairs"] = 0
        return {
            name: torch.empty(tokens, width, dtype=kind.dtype, device=kind.device) for name, width in widths.items()
        }

    @property
    def buffer_bytes(self) -> int:
        """Memory that one forward pass takes beside the weights."""
        return sum(buffer.nbytes for buffer in self._buffers.values())

    @torch.inference_mode()
    def submit(self, part: Part, answers: Tensor) -> None:
        """Queue a part. `answers` (n,) in pinned memory get its log-odds, there once the stream has come so far."""
        tiles = token_tiles(part, self._choices.attention.tile)
        ends = last_tiles(part)
        exact = Shape(max(LEAST_ROWS, len(part.ids)), max(LEAST_ROWS, len(part.last)), len(tiles), len(ends))
        graph = self._graph_for(exact)
        shape = exact if graph is None else graph.shape
        upload = self._uploads[0]
        self._uploads.rotate(-1)
        upload.read.synchronize()
        fill(upload.memory.numpy(), shape, part, tiles, ends)
        buffer = self._uploaded[: shape.total] if graph is None else graph.buffer
        buffer.copy_(upload.memory[: shape.total], non_blocking=True)
        upload.read.record()
        if graph is None:
            scores = torch.empty(shape.documents, dtype=torch.float32, device=self._device)
            self._forward(views(buffer, shape), scores)
        else:
            graph.graph.replay()
            scores = graph.scores
        answers.copy_(scores[: len(part.last)], non_blocking=True)

    def capture(self, tokens: int) -> None:
        """Capture the graph that parts of up to `tokens` tokens are replayed from, from the next smaller size on."""
        size = min(_bucket(tokens), self._buffers["states"].shape[0])
        self._graphs[_bucket(tokens)] = self._capture(size)

    def _graph_for(self, exact: Shape) -> _Graph | None:
        for_documents = exact.documents * TOKENS_PER_DOCUMENT if exact.documents > LEAST_ROWS else 0
        graph = self._graphs.get(_bucket(max(exact.tokens, for_documents)))
        return graph if graph is not None and graph.shape.holds(exact) else None

    @torch.inference_mode()
    def _capture(self, tokens: int) -> _Graph:
        documents = max(LEAST_ROWS, tokens // TOKENS_PER_DOCUMENT)
        # Most tiles come from documents of one token more than a tile, unless documents are shorter.
        tiles = max(documents, 2 * tokens // (self._choices.attention.tile + 1)) + SPARE_TILES
        shape = Shape(tokens, documents, tiles, documents)
        buffer = torch.zeros(shape.total, dtype=torch.int32, device=self._device)
        scores = torch.empty(documents, dtype=torch.float32, device=self._device)
        inputs = views(buffer, shape)
        # Compiles kernels and lets the library choose, neither of which may happen while capturing.
        self._forward(inputs, scores)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            self._forward(inputs, scores)
        self._pool = self._pool or graph.pool()
        return _Graph(shape, buffer, scores, graph)

    def _forward(self, inputs: Inputs, scores: Tensor) -> None:
        tokens = inputs.ids.shape[0]
        config, kernels, weights = self._config, self._kernels, self._weights
        states, normed, qkv = (self._buffers[name][:tokens] for name in ("states", "normed", "qkv"))
        mixed = self._products.mixed[:tokens]
        torch.index_select(weights.embedding, 0, inputs.ids, out=states)
        for index, layer in enumerate(self._layers):
            self._products.project(index, states, qkv)
            self._attend(layer, inputs, qkv[:, : config.query_size], qkv[:, config.query_size :], mixed)
            self._products.finish(index, states, mixed)
        self._products.settle(states, weights.layers[-1].input_norm, normed)
        last = weights.layers[-1]
        documents = inputs.last.shape[0]
        pairs = qkv.view(-1)[: tokens * 2 * config.kv_size].view(tokens, 2 * config.kv_size)
        torch.mm(normed, last.qkv[config.query_size :].t(), out=pairs)
        queries = normed.index_select(0, inputs.last) @ last.qkv[: config.query_size].t()
        ends = states.index_select(0, inputs.last)
        gathered = self._last.mixed[:documents]
        self._attend(last, inputs, queries, pairs, gathered, last=inputs.last)
        self._last.finish(-1, ends, gathered)
        kernels.score(ends, self._head, scores)

    def _attend(
        self,
        layer: LayerWeights | Fp8Layer,
        inputs: Inputs,
        queries: Tensor,
        pairs: Tensor,
        output: Tensor,
        *,
        last: Any = None,
    ) -> None:
        """Attention of `queries` (rows, query_size) to the keys and values side by side in `pairs`."""
        keys, values = pairs[:, : self._config.kv_size], pairs[:, self._config.kv_size :]
        tiles = inputs.tiles if last is None else inputs.last_tiles
        if self._choices.keys_ready:
            self._kernels.prepare_keys(keys, layer.key_norm, inputs.positions)
        self._kernels.attend(
            queries,
            keys,
            values,
            output,
            query_norm=layer.query_norm,
            key_norm=layer.key_norm,
            positions=inputs.positions,
            tiles=tiles,
            last=last,
            choice=self._choices.attention if last is None else self._choices.last_attention,
        )


def token_bytes(config: ModelConfig, itemsize: int) -> int:
    """Most memory that a token of a part takes in a forward pass."""
    return itemsize * sum(_widths(config).values())


def graph_sizes(tokens: int) -> list[int]:
    """The sizes that graphs are captured for, up to `tokens`, the largest first: it needs the most memory."""
    sizes: list[int] = []
    size = 1
    while (size := _bucket(size)) <= tokens:
        sizes.append(size)
        size += 1
    return sizes[::-1]


def _widths(config: ModelConfig) -> dict[str, int]:
    """Elements of a token in each buffer."""
    return {
        "states": config.hidden,
        "normed": config.hidden,
        "qkv": config.query_size + 2 * config.kv_size,
        "mixed": config.query_size,
        "pairs": 2 * config.intermediate,
        "inner": config.intermediate,
    }


def _bucket(tokens: int) -> int:
    step = next(step for most, step in GRAPH_STEPS if tokens <= most)
    return -(-tokens // step) * step
