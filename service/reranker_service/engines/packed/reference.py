"""The forward pass in plain torch: what the CPU runs, and what every faster path is held against.

Matrix products take all tokens of a part at once. Attention goes through documents of one length together, each with a
copy of the keys of its prefix, so that torch's own attention serves without padding. The last layer computes keys and
values for all tokens, everything else for the deciding tokens only. What heads have in common with earlier ones may be
remembered.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from reranker_service.engines.packed.config import ModelConfig
from reranker_service.engines.packed.heads import HeadMemory, Recollection
from reranker_service.engines.packed.plan import Part, Segment
from reranker_service.engines.packed.weights import LayerWeights, ModelWeights

# Most rows of a mask: a long text's queries are taken in blocks, so that memory grows with its length, not the square.
QUERY_BLOCK = 512
# Most elements of keys that documents of one length may hold at once.
KEY_ELEMENTS = 1 << 24


class ReferenceModel:
    """A model in memory, on any device torch knows.

    Args:
        config: the shape.
        weights: in the dtype to compute in; the score itself is computed in float32.
        remembered_tokens: how many tokens of heads are kept from one part to the next; see `HeadMemory`.
    """

    def __init__(self, config: ModelConfig, weights: ModelWeights, *, remembered_tokens: int = 0) -> None:
        self._config = config
        self._weights = weights
        self._memory = HeadMemory(remembered_tokens)
        self._device = weights.embedding.device
        half = torch.arange(config.head_dim // 2, dtype=torch.float64)
        self._speeds = (config.rope_theta ** (-half / (config.head_dim // 2))).to(self._device)

    @torch.inference_mode()
    def forward(self, part: Part) -> Tensor:
        """Log-odds (n,) in float32 of the part's documents."""
        recalled = self._memory.recall(part)
        states = self._weights.embedding[self._move(part.ids[recalled.rows])]
        angles = self._move(part.positions[recalled.rows])[:, None, None] * self._speeds
        rotation = angles.cos().float(), angles.sin().float()
        for index, layer in enumerate(self._weights.layers[:-1]):
            queries, keys, values = self._project(layer, states, rotation)
            queries = recalled.spread(queries)
            keys, values = recalled.with_known(index, keys, values)
            mixed = torch.empty_like(queries)
            for head in recalled.heads:
                _attend(head.segment, queries, keys, values, mixed, known=head.tokens)
            states = self._finish(layer, states, recalled.gathered(mixed).flatten(1))
        layer = self._weights.layers[-1]
        mixed, states = self._last_attention(layer, states, rotation, recalled)
        states = self._finish(layer, states, mixed.flatten(1))
        self._memory.keep(recalled)
        return self._norm(states, self._weights.final_norm).float() @ self._weights.direction

    def _move(self, array: Any) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _norm(self, states: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(states, weight.shape, weight, self._config.norm_eps)

    def _heads(self, projected: Tensor, weight: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Norm and rotary positions on (tokens, heads * head_dim); returns (tokens, heads, head_dim)."""
        normed = self._norm(projected.unflatten(-1, (-1, self._config.head_dim)), weight).float()
        rotated = torch.empty_like(normed)
        (first, second), (left, right) = normed.chunk(2, dim=-1), rotated.chunk(2, dim=-1)
        cos, sin = rotation
        torch.mul(first, cos, out=left).addcmul_(second, sin, value=-1)
        torch.mul(second, cos, out=right).addcmul_(first, sin)
        return rotated.to(projected.dtype)

    def _project(
        self, layer: LayerWeights, states: Tensor, rotation: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (tokens, heads, head_dim), keys and values (tokens, kv_heads, head_dim)."""
        sizes = (self._config.query_size, self._config.kv_size, self._config.kv_size)
        fused = functional.linear(self._norm(states, layer.input_norm), layer.qkv)
        queries, keys, values = fused.split(sizes, dim=-1)
        return (
            self._heads(queries, layer.query_norm, rotation),
            self._heads(keys, layer.key_norm, rotation),
            values.unflatten(-1, (-1, self._config.head_dim)),
        )

    def _last_attention(
        self, layer: LayerWeights, states: Tensor, rotation: tuple[Tensor, Tensor], recalled: Recollection
    ) -> tuple[Tensor, Tensor]:
        """What the deciding tokens gather (n, heads, head_dim), and their states (n, hidden)."""
        last = self._move(recalled.last)
        normed = self._norm(states, layer.input_norm)
        query_size, kv_size = self._config.query_size, self._config.kv_size
        keys, values = functional.linear(normed, layer.qkv[query_size:]).split(kv_size, dim=-1)
        keys, values = recalled.with_known(
            len(self._weights.layers) - 1,
            self._heads(keys, layer.key_norm, rotation),
            values.unflatten(-1, (-1, self._config.head_dim)),
        )
        cos, sin = rotation
        queries = functional.linear(normed[last], layer.qkv[:query_size])
        queries = self._heads(queries, layer.query_norm, (cos[last], sin[last]))
        mixed = torch.empty_like(queries)
        for head in recalled.heads:
            _attend_last(head.segment, queries, keys, values, mixed)
        return mixed, states[last]

    def _finish(self, layer: LayerWeights, states: Tensor, mixed: Tensor) -> Tensor:
        """Output projection, residual and feed-forward part; `states` is overwritten."""
        states.addmm_(mixed, layer.output.t())
        gate, up = functional.linear(self._norm(states, layer.post_norm), layer.gate_up).chunk(2, dim=-1)
        return states.addmm_(functional.silu(gate).mul_(up), layer.down.t())


def _attend(segment: Segment, queries: Tensor, keys: Tensor, values: Tensor, mixed: Tensor, *, known: int = 0) -> None:
    """Every token of a segment but its first `known`: the prefix causally, each document on it and itself."""
    head = slice(segment.start, segment.documents)
    prefix = segment.documents - segment.start
    if known < prefix:
        rows = slice(segment.start + known, segment.documents)
        _causal(queries[None, rows], keys[None, head], values[None, head], mixed[None, rows], known)
    for begin, end, length in _bundles(segment, prefix, keys[0].numel()):
        rows = slice(begin, end)
        shape = (-1, length)
        _causal(
            queries[rows].unflatten(0, shape),
            _with_prefix(keys, head, rows, length),
            _with_prefix(values, head, rows, length),
            mixed[rows].unflatten(0, shape),
            prefix,
        )


def _attend_last(segment: Segment, queries: Tensor, keys: Tensor, values: Tensor, mixed: Tensor) -> None:
    """One query for each document of a segment; it sees the prefix and the whole document."""
    head = slice(segment.start, segment.documents)
    place = segment.first
    for begin, end, length in _bundles(segment, segment.documents - segment.start, keys[0].numel()):
        rows = slice(begin, end)
        some = slice(place, place + (end - begin) // length)
        place = some.stop
        known, held = (_with_prefix(each, head, rows, length) for each in (keys, values))
        mixed[some] = _sdpa(queries[some, None], known, held, None)[:, 0]


def _bundles(segment: Segment, prefix: int, width: int) -> list[tuple[int, int, int]]:
    """(first token, end, tokens a document) of equally long neighbours, as many as fit into memory at once."""
    bundles = []
    begin = segment.documents
    for count, length in segment.runs:
        step = max(1, KEY_ELEMENTS // ((prefix + length) * width))
        for done in range(0, count, step):
            end = begin + min(step, count - done) * length
            bundles.append((begin, end, length))
            begin = end
    return bundles


def _with_prefix(states: Tensor, head: slice, rows: slice, length: int) -> Tensor:
    """Keys or values of documents (documents, prefix + length, kv_heads, head_dim), each behind its prefix."""
    own = states[rows].unflatten(0, (-1, length))
    return torch.cat([states[head].expand(own.shape[0], -1, -1, -1), own], dim=1)


def _causal(queries: Tensor, keys: Tensor, values: Tensor, mixed: Tensor, prefix: int) -> None:
    """Attention of (rows, length) queries that see `prefix` keys and, of the rest, none behind their own."""
    length = queries.shape[1]
    for begin in range(0, length, QUERY_BLOCK):
        end = min(begin + QUERY_BLOCK, length)
        seen = prefix + end
        place = torch.arange(seen, device=queries.device)
        mask = place <= place[prefix + begin :, None]
        mixed[:, begin:end] = _sdpa(queries[:, begin:end], keys[:, :seen], values[:, :seen], mask)


def _sdpa(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    mixed = functional.scaled_dot_product_attention(
        queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), attn_mask=mask, enable_gqa=True
    )
    return mixed.transpose(1, 2)
