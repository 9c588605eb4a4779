"""A model that reads on: what it has read is kept, and only new tokens are computed.

The one place that knows both kinds of model: the engine of ``helpers.gpt2``, and the
causal language models of transformers.
"""

import torch
from transformers import DynamicCache

from helpers.gpt2 import GPT2, FastCache, position_ids


class Reader:
    """A model with the tokens it has read so far: ``batch`` rows, a text in each.

    There is ``room`` for so many tokens in a row; ``attention_mask`` (batch, seq) is
    that of the first ones, 0 for pads on the left.
    """

    def __init__(self, model, batch: int, room: int, attention_mask=None):
        self.model, self.mask = model, None
        if attention_mask is not None:  # what comes behind it is no pad
            new = attention_mask.new_ones(batch, room - attention_mask.shape[1])
            self.mask = torch.cat([attention_mask, new], dim=1).long()  # (batch, room)
        if isinstance(model, GPT2):
            self.cache = FastCache(model, batch, room)
        else:
            self.cache = DynamicCache(config=model.config)

    def read(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Read (batch, seq) more tokens; return next_logits (batch, vocab), float32."""
        return self.read_states(input_ids, states=False)[0]

    def read_states(self, input_ids: torch.Tensor, *, states: bool = True):
        """Return what the head reads, too: (batch, vocab), (batch, seq, d_model)."""
        past, mask = self.length, None
        if self.mask is not None:
            mask = self.mask[:, : past + input_ids.shape[1]]  # (batch, past + seq)
        if isinstance(self.model, GPT2):
            hidden = self.model.hidden_states(input_ids, self.cache, mask)
            return self.model.head(hidden[:, -1:])[:, -1], hidden
        output = self.model(
            input_ids,
            attention_mask=mask,
            # Left to itself the library counts the pads, too.
            position_ids=None if mask is None else position_ids(mask)[:, past:],
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
            output_hidden_states=states,
        )
        hidden = output.hidden_states[-1] if states else None
        return output.logits[:, -1].float(), hidden

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows, in this order; a row may be taken several times."""
        if self.mask is not None:
            self.mask = self.mask[rows]
        if isinstance(self.cache, FastCache):
            self.cache.select(rows)
        else:
            self.cache.reorder_cache(rows)

    @property
    def length(self) -> int:
        """How many tokens of each row were read."""
        if isinstance(self.cache, FastCache):
            return self.cache.length
        return self.cache.get_seq_length()
