"""What the engine keeps of the tokens it has read, so that none is read twice.

For each token that is a key and a value in every layer: 2 * layers * d_model numbers.
"""

import torch


class Cache:
    """The keys and values of every token read so far, in memory taken beforehand.

    They are float32 whatever the weights are: with one query at a time, a CPU attends
    several times faster in it than in bfloat16.

    Args:
        model: the engine that will read.
        batch: rows.
        room: how many tokens of each row fit.
    """

    def __init__(self, model, batch: int, room: int):
        layers, heads = model.config.n_layer, model.config.n_head
        shape = (layers, 2, batch, heads, room, model.config.n_embd // heads)
        self._hold(torch.empty(shape, device=model.device))
        self.room, self.length = room, 0  # tokens that fit, tokens read
        self.alike = torch.zeros(batch, batch, dtype=torch.long, device=model.device)

    def _hold(self, memory: torch.Tensor) -> None:
        """Take (layer, key or value, batch, head, room, d_head)."""
        self.memory = memory
        self.keys, self.values = memory[:, 0].unbind(), memory[:, 1].unbind()

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor):
        """Write (batch, head, seq, d_head) behind what is there; return all so far."""
        keys, values, seq = self.keys[layer], self.values[layer], key.shape[2]
        keys.narrow(2, self.length, seq).copy_(key)
        values.narrow(2, self.length, seq).copy_(value)
        end = self.length + seq
        return keys.narrow(2, 0, end), values.narrow(2, 0, end)

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows of the batch, in this order; a row may come twice.

        Two rows that come from one row are alike up to there, as the beams of a search
        mostly are. ``alike`` says how many first tokens each two rows have in common;
        rows that stay, and what all that move have in common, are not copied.
        """
        self.alike.fill_diagonal_(self.length)
        if len(rows) != len(self.alike):
            old = self.memory.narrow(4, 0, self.length)
            shape = (*self.memory.shape[:2], len(rows), *self.memory.shape[3:])
            self._hold(old.new_empty(shape))
            self.memory.narrow(4, 0, self.length).copy_(old.index_select(2, rows))
        else:
            common = self.alike.gather(1, rows[:, None]).flatten()  # (batch,), tokens
            moves = (common < self.length).nonzero().flatten()
            if len(moves):
                start = common.min().item()
                behind = self.memory.narrow(4, start, self.length - start)
                behind.index_copy_(2, moves, behind.index_select(2, rows[moves]))
        self.alike = self.alike[rows][:, rows]  # (batch, batch), tokens
