"""What the engine keeps of the tokens it has read, so that none is read twice.

For each token that is a key and a value in every layer: 2 * layers * d_model numbers.
"""

import torch

from helpers.inputs import check_within, expect, whole


class Cache:
    """Keys and values of all tokens read, with ``room`` for so many in each row."""

    def __init__(self, model, batch: int, room: int):
        expect("batch", batch, whole(), "a whole number of rows from 1")
        expect("room", room, whole(), "a whole number of tokens from 1")
        layers, heads = model.config.n_layer, model.config.n_head
        shape = (layers, 2, batch, heads, room, model.config.n_embd // heads)
        # float32 whatever the weights are: a CPU attends with one query at a time
        # several times faster in it than in bfloat16.
        self.memory = torch.empty(shape, device=model.device)
        self.batch, self.room, self.length = batch, room, 0  # length: tokens read

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor):
        """Write (batch, head, seq, d_head) behind what is there; return all so far."""
        keys, values = self.memory[layer]  # (batch, head, room, d_head) each
        end = self.length + key.shape[2]
        keys[:, :, self.length : end] = key
        values[:, :, self.length : end] = value
        return keys[:, :, :end], values[:, :, :end]

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows of the batch, in this order; a row may come twice."""
        check_within("row", rows, "the batch", self.batch)
        self.memory = self.memory[:, :, rows]
        self.batch = len(rows)
