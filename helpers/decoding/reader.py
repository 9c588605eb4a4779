"""A model that reads on: what it has read is kept, and only new tokens are computed.

The one place that knows the two kinds of model: the engine of ``helpers.gpt2`` and
the causal language models of transformers. Decoding does not care which it has.
"""

import torch
from transformers import DynamicCache

from helpers.gpt2 import GPT2, Cache


class Reader:
    """A model with the tokens it has read so far: one row per text.

    Args:
        model: a ``GPT2`` of helpers, or a causal language model of transformers.
        batch: rows.
        room: how many tokens it will read at most.
        attention_mask: (batch, seq) of the first tokens, 0 for pads on the left.
    """

    def __init__(self, model, batch: int, room: int, attention_mask=None):
        self.model, self.mask = model, attention_mask
        if isinstance(model, GPT2):
            self.cache = Cache(model, batch, room)
        else:
            self.cache = DynamicCache(config=model.config)

    def read(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Read (batch, seq) more tokens; return the next token's logits.

        Returns:
            (batch, vocab), float32.
        """
        return self._read(input_ids, states=False)[0]

    def read_states(self, input_ids: torch.Tensor):
        """Read more tokens; return next_logits and the new hidden states.

        Returns:
            (batch, vocab), and (batch, seq, d_model): what the head reads.
        """
        return self._read(input_ids, states=True)

    def _read(self, input_ids: torch.Tensor, *, states: bool):
        mask = self._mask(self.length, input_ids)
        if isinstance(self.model, GPT2):
            hidden = self.model.hidden_states(
                input_ids, cache=self.cache, attention_mask=mask
            )
            return self.model.head(hidden[:, -1:])[:, -1], hidden
        output = self.model(
            input_ids,
            attention_mask=mask,
            position_ids=self._positions(mask, input_ids),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
            output_hidden_states=states,
        )
        hidden = output.hidden_states[-1] if states else None
        return output.logits[:, -1].float(), hidden

    @property
    def length(self) -> int:
        """How many tokens of each row were read."""
        if isinstance(self.cache, Cache):
            return self.cache.length
        return self.cache.get_seq_length()

    def _positions(self, mask, input_ids: torch.Tensor) -> torch.Tensor:
        """Count tokens and not pads, which a bare forward would count: (batch, seq)."""
        past, seq = self.length, input_ids.shape[1]
        if mask is not None:
            return (mask.cumsum(-1) - 1).clamp(min=0)[:, past:]
        places = torch.arange(past, past + seq, device=input_ids.device)
        return places.expand_as(input_ids)

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows, in this order; a row may be taken several times."""
        if self.mask is not None:
            self.mask = self.mask[rows]
        if isinstance(self.cache, Cache):
            self.cache.select(rows)
        else:
            self.cache.reorder_cache(rows)

    def _mask(self, past: int, input_ids: torch.Tensor) -> torch.Tensor | None:
        """Return the mask over all tokens, the new ones in it: (batch, past + seq)."""
        if self.mask is None:
            return None
        new = past + input_ids.shape[1] - self.mask.shape[1]
        if new > 0:
            ones = self.mask.new_ones(len(self.mask), new)
            self.mask = torch.cat([self.mask, ones], dim=1)
        return self.mask
