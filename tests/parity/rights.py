"""Right GPT-2s in eight styles."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from helpers.gpt2 import GPT2
from tests.parity.planted_bugs import learner, sdpa


class Einsum:
    """The right model as functions over the library's state dict; no module at all."""

    def __init__(self, reference):
        self.config = reference.config
        self.w = reference.transformer.state_dict()

    def norm(self, x, name):
        mean, std = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        x = (x - mean) * torch.rsqrt(std + self.config.layer_norm_epsilon)
        return x * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def linear(self, x, name):
        w, b = self.w[f"{name}.weight"], self.w[f"{name}.bias"]
        return torch.einsum("bsi,io->bso", x, w) + b

    def attention(self, x, name):
        batch, seq, width = x.shape
        heads = self.config.n_head
        w = self.w[f"{name}.c_attn.weight"].view(width, 3, heads, -1)
        b = self.w[f"{name}.c_attn.bias"].view(3, 1, heads, 1, -1)
        q, k, v = torch.einsum("bsi,ithd->tbhsd", x, w) + b
        scores = torch.einsum("bhqd,bhkd->bhqk", q / math.sqrt(q.shape[-1]), k)
        scores += torch.full((seq, seq), -1e9).triu(1)
        gathered = torch.einsum("bhqk,bhkd->bqhd", scores.softmax(-1), v)
        return self.linear(gathered.flatten(2), f"{name}.c_proj")

    def __call__(self, ids):
        x = self.w["wte.weight"][ids]
        x += self.w["wpe.weight"][: ids.shape[1]]
        for layer in range(self.config.n_layer):
            x = x + self.attention(self.norm(x, f"h.{layer}.ln_1"), f"h.{layer}.attn")
            inner = self.linear(self.norm(x, f"h.{layer}.ln_2"), f"h.{layer}.mlp.c_fc")
            inner = F.gelu(inner, approximate="tanh")
            x += self.linear(inner, f"h.{layer}.mlp.c_proj")
        return torch.einsum("bsi,vi->bsv", self.norm(x, "ln_f"), self.w["wte.weight"])


class Loops:
    """The right model without a batch dimension, one head after the other."""

    def __init__(self, reference):
        self.config = reference.config
        self.w = reference.transformer.state_dict()

    def norm(self, x, name):
        w, b = self.w[f"{name}.weight"], self.w[f"{name}.bias"]
        return F.layer_norm(x, w.shape, w, b, self.config.layer_norm_epsilon)

    def linear(self, x, name):
        return x @ self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def attention(self, x, name):
        seq, width = x.shape
        size = width // self.config.n_head
        w, b = self.w[f"{name}.c_attn.weight"], self.w[f"{name}.c_attn.bias"]
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
        for layer in range(self.config.n_layer):
            x = x + self.attention(self.norm(x, f"h.{layer}.ln_1"), f"h.{layer}.attn")
            inner = self.linear(self.norm(x, f"h.{layer}.ln_2"), f"h.{layer}.mlp.c_fc")
            inner = F.gelu(inner, approximate="tanh")
            x = x + self.linear(inner, f"h.{layer}.mlp.c_proj")
        return self.norm(x, "ln_f") @ self.w["wte.weight"].T


class Odd:
    """The right model in odd ways: norms folded, heads joined with the batch."""

    def __init__(self, reference):
        self.config = reference.config
        self.w = reference.transformer.state_dict()

    def norm(self, x, name):
        w, b = self.w[f"{name}.weight"], self.w[f"{name}.bias"]
        eps = self.config.layer_norm_epsilon
        return (
            F.layer_norm(x.T, w.shape, w, b, eps)
            if x.dim() == 1
            else F.layer_norm(x, w.shape, w, b, eps)
        )

    def linear(self, x, name):
        return torch.addmm(self.w[f"{name}.bias"], x, self.w[f"{name}.weight"])

    def attention(self, x, name, batch):
        heads, width = self.config.n_head, x.shape[-1]
        seq, size = len(x) // batch, width // heads
        qkv = self.linear(x, f"{name}.c_attn").view(batch, seq, 3, heads, size)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).reshape(3, batch * heads, seq, size)
        mask = torch.zeros(seq, seq).masked_fill(
            ~torch.ones(seq, seq).tril().bool(), -1e4
        )
        scores = torch.baddbmm(mask[None], k, q.mT, alpha=size**-0.5).mT
        scores = torch.baddbmm(mask[None], q, k.mT, alpha=size**-0.5)
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        heads = torch.bmm(weights, v).view(batch, heads, seq, size)
        rows = self.w[f"{name}.c_proj.weight"].split(size)
        shares = [
            h.reshape(-1, size) @ w for h, w in zip(heads.unbind(1), rows, strict=True)
        ]
        return sum(shares) + self.w[f"{name}.c_proj.bias"]

    def __call__(self, ids):
        batch, seq = ids.shape
        choice = F.one_hot(ids.flatten(), self.config.vocab_size).float()
        x = choice @ self.w["wte.weight"] + self.w["wpe.weight"][:seq].repeat(batch, 1)
        for layer in range(self.config.n_layer):
            x = x + self.attention(
                self.norm(x, f"h.{layer}.ln_1"), f"h.{layer}.attn", batch
            )
            inner = self.linear(self.norm(x, f"h.{layer}.ln_2"), f"h.{layer}.mlp.c_fc")
            inner.copy_(F.gelu(inner, approximate="tanh"))
            x.add_(self.linear(inner, f"h.{layer}.mlp.c_proj"))
        logits = self.norm(x, "ln_f") @ self.w["wte.weight"].T
        return logits.view(batch, seq, -1), None


def encoder(reference, gelu=lambda x: F.gelu(x, approximate="tanh")):
    """The right model out of PyTorch's own layers, which are one operation each."""
    config, w = reference.config, reference.transformer.state_dict()

    def layer(i):
        options = {"norm_first": True, "batch_first": True, "dropout": 0.0}
        options |= {"layer_norm_eps": config.layer_norm_epsilon}
        options |= {"activation": gelu}
        inner = 4 * config.n_embd
        made = nn.TransformerEncoderLayer(
            config.n_embd, config.n_head, inner, **options
        )
        own = {
            "self_attn.in_proj_": "attn.c_attn.",
            "self_attn.out_proj.": "attn.c_proj.",
        }
        own |= {"linear1.": "mlp.c_fc.", "linear2.": "mlp.c_proj."}
        own |= {"norm1.": "ln_1.", "norm2.": "ln_2."}
        made.load_state_dict(
            {
                mine + kind: w[f"h.{i}.{theirs}{kind}"].t()
                for mine, theirs in own.items()
                for kind in ("weight", "bias")
            }
        )
        return made.eval()

    layers = [layer(i) for i in range(config.n_layer)]

    def forward(ids):
        x = w["wte.weight"][ids] + w["wpe.weight"][: ids.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        for one in layers:
            x = one(x, src_mask=mask, is_causal=True)
        x = F.layer_norm(
            x, x.shape[-1:], w["ln_f.weight"], w["ln_f.bias"], config.layer_norm_epsilon
        )
        return x @ w["wte.weight"].T

    return forward


RIGHT = {
    "explicit, step by step": learner,
    "fused attention": sdpa,
    "einsum, in place": Einsum,
    "no batch, a loop over heads": Loops,
    "one-hot, baddbmm, a share per head": Odd,
    "PyTorch's encoder layers": encoder,
    "the course's engine": GPT2.from_hf,
    "the library": lambda reference: reference,
}
ALONE = {"no batch, a loop over heads"}
