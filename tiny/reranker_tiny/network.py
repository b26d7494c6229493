"""The trainable network: Qwen3's architecture, computed so that one query's products share the query's work.

The parameters carry the names and shapes of the checkpoint. The arithmetic is the same as in transformers (a test
compares the two); only the order differs: the shared head of a group runs once, and the last layer computes nothing
but the one position that decides.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reranker_tiny import model
from reranker_tiny.dataset import Encoded


@dataclass(frozen=True)
class Batch:
    """Groups of equal size, padded on the right.

    heads, head_mask: (groups, H); tails, tail_mask: (groups, documents, T); last: (groups, documents), the index of
    each tail's last token.
    """

    heads: Tensor
    head_mask: Tensor
    tails: Tensor
    tail_mask: Tensor
    last: Tensor


def collate(groups: list[Encoded]) -> Batch:
    """Pad encoded groups, each with the same number of documents, into one batch."""
    width = max(len(group.head) for group in groups)
    depth = max(len(tail) for group in groups for tail in group.tails)
    heads = torch.zeros(len(groups), width, dtype=torch.long)
    tails = torch.zeros(len(groups), len(groups[0].tails), depth, dtype=torch.long)
    lengths = torch.tensor([[len(tail) for tail in group.tails] for group in groups])
    head_lengths = torch.tensor([len(group.head) for group in groups])
    for index, group in enumerate(groups):
        heads[index, : len(group.head)] = torch.tensor(group.head)
        for place, tail in enumerate(group.tails):
            tails[index, place, : len(tail)] = torch.tensor(tail)
    return Batch(
        heads=heads,
        head_mask=torch.arange(width) < head_lengths[:, None],
        tails=tails,
        tail_mask=torch.arange(depth) < lengths[..., None],
        last=lengths - 1,
    )


@dataclass(frozen=True)
class Trace:
    """What one forward pass found.

    log_odds: (groups, documents), yes against no; decided: (groups, documents, HIDDEN), the states they come from.
    heads: per inner layer (groups, H, HIDDEN), what it put out; tails: likewise (tokens, HIDDEN), without padding;
    begins: (groups, documents), where each tail begins among those tokens.
    """

    log_odds: Tensor
    decided: Tensor
    heads: list[Tensor]
    tails: list[Tensor]
    begins: Tensor


class Norm(nn.Module):
    """Root-mean-square norm over the last axis."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, states: Tensor) -> Tensor:
        """Same shape as `states`."""
        return functional.rms_norm(states, self.weight.shape, self.weight, model.RMS_NORM_EPS)


class Attention(nn.Module):
    """Grouped-query attention with a norm on queries and keys, and rotary positions."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(model.HIDDEN, model.HEADS * model.HEAD_DIM, bias=False)
        self.k_proj = nn.Linear(model.HIDDEN, model.KV_HEADS * model.HEAD_DIM, bias=False)
        self.v_proj = nn.Linear(model.HIDDEN, model.KV_HEADS * model.HEAD_DIM, bias=False)
        self.o_proj = nn.Linear(model.HEADS * model.HEAD_DIM, model.HIDDEN, bias=False)
        self.q_norm = Norm(model.HEAD_DIM)
        self.k_norm = Norm(model.HEAD_DIM)

    def project(self, states: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values (..., heads, HEAD_DIM) of states (..., HIDDEN) at positions (...)."""
        queries = self.q_norm(self.q_proj(states).unflatten(-1, (model.HEADS, model.HEAD_DIM)))
        keys = self.k_norm(self.k_proj(states).unflatten(-1, (model.KV_HEADS, model.HEAD_DIM)))
        values = self.v_proj(states).unflatten(-1, (model.KV_HEADS, model.HEAD_DIM))
        return _rotate(queries, positions), _rotate(keys, positions), values

    @staticmethod
    def mix(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Attention of (rows, length, HEADS, HEAD_DIM) to keys and values where `mask` (rows, length, keys) is true.

        Returns (rows, length, HEADS * HEAD_DIM), before the output projection.
        """
        repeat = model.HEADS // model.KV_HEADS
        mixed = functional.scaled_dot_product_attention(
            queries.transpose(1, 2),
            keys.transpose(1, 2).repeat_interleave(repeat, dim=1),
            values.transpose(1, 2).repeat_interleave(repeat, dim=1),
            attn_mask=mask[:, None],
        )
        return mixed.transpose(1, 2).flatten(-2)


class Mlp(nn.Module):
    """The gated feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(model.HIDDEN, model.INTERMEDIATE, bias=False)
        self.up_proj = nn.Linear(model.HIDDEN, model.INTERMEDIATE, bias=False)
        self.down_proj = nn.Linear(model.INTERMEDIATE, model.HIDDEN, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """Same shape as `states`."""
        mixed: Tensor = self.down_proj(functional.silu(self.gate_proj(states)) * self.up_proj(states))
        return mixed


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = Attention()
        self.mlp = Mlp()
        self.input_layernorm = Norm(model.HIDDEN)
        self.post_attention_layernorm = Norm(model.HIDDEN)

    def finish(self, states: Tensor, mixed: Tensor) -> Tensor:
        """Add what attention mixed (..., HEADS * HEAD_DIM) to the states (..., HIDDEN), then the feed-forward part."""
        states = states + self.self_attn.o_proj(mixed)
        added: Tensor = states + self.mlp(self.post_attention_layernorm(states))
        return added


class Network(nn.Module):
    """The reranker while it is trained.

    Args:
        row_ids: the tokens whose embedding rows are trained; all others keep their seeded row.
        yes_id, no_id: the two tokens whose logits make the score.
    """

    def __init__(self, row_ids: list[int], yes_id: int, no_id: int) -> None:
        super().__init__()
        seeded = torch.from_numpy(model.seeded_embedding()).float()
        self.rows = nn.Parameter(seeded[row_ids].clone())
        self.layers = nn.ModuleList(Layer() for _ in range(model.LAYERS))
        self.norm = Norm(model.HIDDEN)
        place = torch.full((model.VOCABULARY,), -1)
        place[row_ids] = torch.arange(len(row_ids))
        self.register_buffer("seeded", seeded, persistent=False)
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("direction", seeded[yes_id] - seeded[no_id], persistent=False)
        self.row_ids = row_ids
        self._initialise()

    def _initialise(self) -> None:
        for name, weight in self.named_parameters():
            if weight.dim() == 2 and name != "rows":
                # What a layer adds starts small, so that the embeddings are still seen behind the last one.
                adds = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=(0.4 if adds else 1.0) * weight.shape[1] ** -0.5)
        for layer in self.layers[1:]:
            # Queries start equal to keys, so that alike words attend to each other from the first step on: comparing
            # words is what the task is, and finding that alone takes longer than the rest of the training.
            keys = layer.self_attn.k_proj.weight.detach().unflatten(0, (model.KV_HEADS, model.HEAD_DIM))
            alike = keys.repeat_interleave(model.HEADS // model.KV_HEADS, dim=0).flatten(0, 1)
            layer.self_attn.q_proj.weight.data.copy_(alike)
        # The head's rows are as large as all embeddings; this keeps the first log-odds near zero.
        nn.init.constant_(self.norm.weight, 0.1)

    def forward(self, batch: Batch) -> Trace:
        """Score every document of every group."""
        groups, documents, depth = batch.tails.shape
        rows = groups * documents
        width = batch.heads.shape[1]
        head_positions = torch.arange(width).expand(groups, width)
        head_sees = torch.ones(width, width).tril().bool() & batch.head_mask[:, None]
        # Tails lie one behind another, without their padding, but where attention needs them as a rectangle.
        real = batch.tail_mask.flatten(0, 1)
        row, column = real.nonzero(as_tuple=True)
        # They go on where their own head ended, whatever that one's padding.
        tail_positions = batch.head_mask.sum(1).repeat_interleave(documents)[row] + column
        tail_sees = torch.cat(
            [
                batch.head_mask.repeat_interleave(documents, dim=0)[:, None].expand(-1, depth, -1),
                torch.ones(depth, depth).tril().bool().expand(rows, -1, -1),
            ],
            dim=-1,
        )
        last = batch.last.flatten()
        ends = real.sum(1).cumsum(0) - 1
        heads: list[Tensor] = []
        tails: list[Tensor] = []
        head, tail = self.embed(batch.heads), self.embed(batch.tails.flatten(0, 1)[real])
        for index, layer in enumerate(self.layers):
            queries, head_keys, head_values = layer.self_attn.project(layer.input_layernorm(head), head_positions)
            asking, own_keys, own_values = layer.self_attn.project(layer.input_layernorm(tail), tail_positions)
            keys = torch.cat([head_keys.repeat_interleave(documents, dim=0), _spread(own_keys, real)], dim=1)
            values = torch.cat([head_values.repeat_interleave(documents, dim=0), _spread(own_values, real)], dim=1)
            if index == len(self.layers) - 1:
                sees = tail_sees[torch.arange(rows), last][:, None]
                mixed = layer.self_attn.mix(asking[ends][:, None], keys, values, sees)
                tail = layer.finish(tail[ends], mixed[:, 0])
            else:
                head = layer.finish(head, layer.self_attn.mix(queries, head_keys, head_values, head_sees))
                tail = layer.finish(tail, layer.self_attn.mix(_spread(asking, real), keys, values, tail_sees)[real])
                heads.append(head)
                tails.append(tail)
        decided = self.norm(tail).unflatten(0, (groups, documents))
        begins = (ends - last).unflatten(0, (groups, documents))
        return Trace(decided @ self.direction, decided, heads, tails, begins)

    def embed(self, ids: Tensor) -> Tensor:
        """The embedding rows of `ids`: trained ones where there are, seeded ones elsewhere."""
        place = self.place[ids]
        return torch.where((place >= 0)[..., None], self.rows[place.clamp(min=0)], self.seeded[ids])

    def shipped(self) -> model.Weights:
        """The trained weights under the checkpoint's names, in float16."""
        state = {f"model.{name}": weight for name, weight in self.named_parameters() if name != "rows"}
        weights = {name: weight.detach().numpy().astype(np.float16) for name, weight in state.items()}
        return weights | {
            model.ROW_IDS_KEY: np.asarray(self.row_ids, dtype=np.int32),
            model.ROWS_KEY: self.rows.detach().numpy().astype(np.float16),
        }

    def load(self, weights: model.Weights) -> None:
        """Take shipped weights over; their row ids must be this network's."""
        if list(weights[model.ROW_IDS_KEY]) != self.row_ids:
            raise ValueError("the shipped embedding rows belong to other tokens than this network's")
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                key = model.ROWS_KEY if name == "rows" else f"model.{name}"
                parameter.copy_(torch.from_numpy(weights[key].astype(np.float32)))


def _spread(states: Tensor, real: Tensor) -> Tensor:
    """Put states (tokens, heads, HEAD_DIM) at the true places of `real` (rows, length); zeros elsewhere."""
    return states.new_zeros(*real.shape, *states.shape[1:]).index_put(real.nonzero(as_tuple=True), states)


def _rotate(states: Tensor, positions: Tensor) -> Tensor:
    """Rotary positions on states (..., heads, HEAD_DIM); positions (...)."""
    half = model.HEAD_DIM // 2
    speeds = model.ROPE_THETA ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = (positions[..., None] * speeds)[..., None, :]
    first, second = states[..., :half], states[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
