"""Right GPT-2s in seven styles."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from helpers.gpt2 import GPT2
from tests.parity.planted_bugs import learner, sdpa


class Written:
    """A right model as functions over the library's state dict; no module at all."""

    def __init__(self, reference):
        self.config = reference.config
        self.w = reference.transformer.state_dict()

    def of(self, name):
        return self.w[f"{name}.weight"], self.w[f"{name}.bias"]

    def norm(self, x, name):
        w, b = self.of(name)
        return F.layer_norm(x, w.shape, w, b, self.config.layer_norm_epsilon)

    def linear(self, x, name):
        w, b = self.of(name)
        return x @ w + b

    def feed_forward(self, x, name):
        inner = self.linear(self.norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc")
        inner.copy_(F.gelu(inner, approximate="tanh"))
        return self.linear(inner, f"{name}.mlp.c_proj")

    def layers(self, x):
        for name in (f"h.{layer}" for layer in range(self.config.n_layer)):
            x = x + self.attention(self.norm(x, f"{name}.ln_1"), f"{name}.attn")
            x += self.feed_forward(x, name)
        return self.norm(x, "ln_f")


class Einsum(Written):
    """The norms by hand, all else in einsum, the sums in place."""

    def norm(self, x, name):
        (w, b), eps = self.of(name), self.config.layer_norm_epsilon
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        return (x - mean) * torch.rsqrt(variance + eps) * w + b

    def linear(self, x, name):
        w, b = self.of(name)
        return torch.einsum("bsi,io->bso", x, w) + b

    def attention(self, x, name):
        (_, seq, width), heads = x.shape, self.config.n_head
        w, b = self.of(f"{name}.c_attn")
        w, b = w.view(width, 3, heads, -1), b.view(3, 1, heads, 1, -1)
        q, k, v = torch.einsum("bsi,ithd->tbhsd", x, w) + b
        scores = torch.einsum("bhqd,bhkd->bhqk", q / math.sqrt(q.shape[-1]), k)
        scores += torch.full((seq, seq), -1e9).triu(1)
        gathered = torch.einsum("bhqk,bhkd->bqhd", scores.softmax(-1), v)
        return self.linear(gathered.flatten(2), f"{name}.c_proj")

    def __call__(self, ids):
        x = self.w["wte.weight"][ids]
        x += self.w["wpe.weight"][: ids.shape[1]]
        return torch.einsum("bsi,vi->bsv", self.layers(x), self.w["wte.weight"])


class Loops(Written):
    """Without a batch dimension, one head after the other."""

    def attention(self, x, name):
        seq, width = x.shape
        size = width // self.config.n_head
        w, b = self.of(f"{name}.c_attn")
        out = torch.empty(seq, width)
        for start in range(0, width, size):
            q, k, v = (
                x @ w[:, s : s + size] + b[s : s + size]
                for s in (start, width + start, 2 * width + start)
            )
            scores = q @ k.T
            scores[torch.ones(seq, seq).triu(1) == 1] = -math.inf
            out[:, start : start + size] = (scores * size**-0.5).softmax(-1) @ v
        return self.linear(out, f"{name}.c_proj")

    def __call__(self, ids):
        if ids.dim() != 1:
            raise ValueError("give me one text")
        x = self.w["wte.weight"][ids] + self.w["wpe.weight"][: len(ids)]
        return self.layers(x) @ self.w["wte.weight"].T


def encoder(reference, gelu=lambda x: F.gelu(x, approximate="tanh")):
    """The right model out of PyTorch's own layers, which are one operation each."""
    config, w = reference.config, reference.transformer.state_dict()
    width, eps = config.n_embd, config.layer_norm_epsilon
    options = {"norm_first": True, "batch_first": True, "dropout": 0.0}
    options |= {"layer_norm_eps": eps, "activation": gelu}
    own = {"self_attn.in_proj_": "attn.c_attn.", "self_attn.out_proj.": "attn.c_proj."}
    own |= {"linear1.": "mlp.c_fc.", "linear2.": "mlp.c_proj."}
    own |= {"norm1.": "ln_1.", "norm2.": "ln_2."}
    names = [
        (a + kind, b + kind) for a, b in own.items() for kind in ("weight", "bias")
    ]

    def layer(i):
        made = nn.TransformerEncoderLayer(width, config.n_head, 4 * width, **options)
        made.load_state_dict({a: w[f"h.{i}.{b}"].t() for a, b in names})
        return made.eval()

    layers = [layer(i) for i in range(config.n_layer)]

    def forward(ids):
        x = w["wte.weight"][ids] + w["wpe.weight"][: ids.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        for one in layers:
            x = one(x, src_mask=mask, is_causal=True)
        x = F.layer_norm(x, x.shape[-1:], w["ln_f.weight"], w["ln_f.bias"], eps)
        return x @ w["wte.weight"].T

    return forward


RIGHT = {
    "explicit, step by step": learner,
    "fused attention": sdpa,
    "einsum, in place": Einsum,
    "no batch, a loop over heads": Loops,
    "PyTorch's encoder layers": encoder,
    "the course's engine": GPT2.from_hf,
    "the library": lambda reference: reference,
}
ALONE = {"no batch, a loop over heads"}
