"""GPT-2 from scratch: the engine that the course generates, scores and trains with.

Its weights have the names and shapes of the library's, its logits are the library's
too. Shapes are written batch, seq, head, d_model; ``d_head`` is d_model / heads.

    tokens + positions -> [norm, attention, add; norm, feed-forward, add] per layer
                       -> norm -> one logit per token of the vocabulary
"""

import torch
from torch import nn
from torch.nn import functional as F

from helpers.gpt2.cache import Cache
from helpers.inputs import check_ids, check_room, expect, whole


class Projection(nn.Module):
    """x W + b, with W stored (in, out), as GPT-2's checkpoints store it."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, in) to (batch, seq, out)."""
        return F.linear(x, self.weight.t(), self.bias)


class Attention(nn.Module):
    """Causal self-attention over several heads."""

    def __init__(self, config):
        super().__init__()
        self.heads = config.n_head
        self.c_attn = Projection(config.n_embd, 3 * config.n_embd)
        self.c_proj = Projection(config.n_embd, config.n_embd)

    def forward(self, x, mask, cache: Cache | None, layer: int) -> torch.Tensor:
        """Let each position gather from those it may see: (batch, seq, d_model)."""
        batch, seq, d_model = x.shape
        split = self.c_attn(x).view(batch, seq, 3, self.heads, d_model // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind()  # (…, seq, d_head)
        if cache is not None:
            key, value = cache.append(layer, key, value)  # (…, cached + seq, d_head)
            query = query.to(key.dtype)
        # One query may see all that is cached; more without a mask begin a text.
        causal = mask is None and seq > 1
        y = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=causal
        )  # (batch, head, seq, d_head)
        y = y.to(x.dtype).transpose(1, 2)  # (batch, seq, head, d_head)
        return self.c_proj(y.reshape(batch, seq, d_model))


class FeedForward(nn.Module):
    """Two projections with GPT-2's tanh form of GELU between them."""

    def __init__(self, config):
        super().__init__()
        inner = config.n_inner or 4 * config.n_embd
        self.c_fc = Projection(config.n_embd, inner)
        self.c_proj = Projection(inner, config.n_embd)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map each position by itself: (batch, seq, d_model) to the same."""
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """One layer: attention, then feed-forward, each added to what came in."""

    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)
        self.mlp = FeedForward(config)

    def forward(self, x, mask, cache: Cache | None, layer: int) -> torch.Tensor:
        """Map (batch, seq, d_model) to the same."""
        x = x + self.attn(self.ln_1(x), mask, cache, layer)
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """GPT-2 with its head tied to the token embedding."""

    def __init__(self, config):
        super().__init__()
        self.config = config  # a GPT2Config of transformers
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon)

    @classmethod
    def from_hf(cls, model, dtype: torch.dtype = torch.float32) -> "GPT2":
        """Return the engine with the weights of a GPT2LMHeadModel, in eval mode.

        Weights that have the dtype already are shared, not copied: training one of the
        two models then trains the other. Raises ValueError as ``check_config``.
        """
        check_config(model.config)
        with torch.device("meta"):  # no memory for weights that are replaced at once
            engine = cls(model.config)
        weights = model.transformer.state_dict()
        weights = {name: weight.to(dtype) for name, weight in weights.items()}
        engine.load_state_dict(weights, assign=True)
        return engine.eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.wte.weight.device

    def forward(
        self, input_ids, *, cache=None, attention_mask=None, logits_to_keep: int = 0
    ) -> torch.Tensor:
        """Return each position's next logits: (batch, seq, vocab), float32.

        Args:
            input_ids: (batch, seq), the tokens behind those in the cache.
            cache: what was read before; these tokens are added to it.
            attention_mask: (batch, cached + seq), 0 for pads, which are on the left.
            logits_to_keep: how many of the last positions; 0 is all.

        Raises ValueError for ids outside the vocabulary, or more than have room.
        """
        check_ids(self, input_ids)
        expect("logits_to_keep", logits_to_keep, whole(least=0), "0, for all, or more")
        hidden = self.hidden_states(input_ids, cache, attention_mask)
        # Only what is kept goes through the head, the largest matrix; -0 keeps all.
        return self.head(hidden[:, -logits_to_keep:])

    def hidden_states(self, input_ids, cache: Cache | None = None, attention_mask=None):
        """Return what the head reads, behind the last norm: (batch, seq, d_model)."""
        check_room(self, input_ids, cache)
        past = cache.length if cache is not None else 0
        positions, mask = see(input_ids, past, attention_mask)
        x = self.wte(input_ids) + self.wpe.weight[positions]  # (batch, seq, d_model)
        for layer, block in enumerate(self.h):
            x = block(x, mask, cache, layer)  # (batch, seq, d_model)
        if cache is not None:
            cache.length += input_ids.shape[1]  # now: all layers write at one place
        return self.ln_f(x)

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, d_model) to logits (batch, seq, vocab) in float32."""
        return F.linear(hidden, self.wte.weight).float()


def position_ids(attention_mask: torch.Tensor) -> torch.Tensor:
    """Return which token of its text each is, pads not counted: (batch, seq)."""
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)


def see(input_ids, past: int, attention_mask):
    """Return the positions, as an index, and who sees whom; None: all before.

    The mask is (seq, cached + seq), or a (1, ...) for each row; True: may look.
    """
    total = past + input_ids.shape[1]
    # Without a mask the attention kernel does not compute what nobody may see.
    if attention_mask is None and (past == 0 or past + 1 == total):
        return slice(past, total), None
    order = torch.arange(total, device=input_ids.device)  # (cached + seq,)
    ahead = order <= order[past:, None]  # (seq, cached + seq)
    if attention_mask is None:
        return slice(past, total), ahead
    itself = order == order[past:, None]  # or a pad's softmax has nothing to sum
    mask = ahead & attention_mask.bool()[:, None, None] | itself
    return position_ids(attention_mask)[:, past:], mask  # (batch, seq), the mask


def check_config(config) -> None:
    """Raise ValueError for a GPT-2 that differs from the published ones in kind."""
    supported = {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
        "tie_word_embeddings": (True,),
    }
    for name, known in supported.items():
        if (value := getattr(config, name)) not in known:
            raise ValueError(f"the engine knows {name} {known[0]}, not {value}")
