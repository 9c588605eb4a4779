"""Small random GPT-2s, on which mistakes show."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel


def random_model(*, seed: int = 0, **options) -> GPT2LMHeadModel:
    """Return one in eval mode whose biases and norms are not 0 and 1, as at birth."""
    size = {"n_layer": 3, "n_head": 4, "n_embd": 32, "n_positions": 64}
    end = {"bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3}
    torch.manual_seed(seed)
    config = GPT2Config(**{**size, **end, "vocab_size": 97, **options})
    model = GPT2LMHeadModel(config).eval()
    for name, weight in model.named_parameters():
        if name.endswith("bias") or "ln_" in name:
            weight.data += torch.randn_like(weight) * 0.3
    return model


def without_end(*, seed: int = 0, end_bias: float = 0, **options) -> GPT2LMHeadModel:
    """Return one with far from flat distributions, that ends where a call says so.

    With ``end_bias`` its texts end often: so much higher is the logit of token 0.
    """
    size = {"n_layer": 1, "n_head": 2, "n_embd": 8, "n_positions": 40}
    size |= {"vocab_size": 24, "initializer_range": 0.7, "pad_token_id": 0, **options}
    model = random_model(seed=seed, **size)
    model.generation_config.eos_token_id = None
    if end_bias:
        end = model.transformer.wte.weight[0].detach()
        model.transformer.ln_f.bias.data = end_bias * end / end.square().sum()
    return model


def random_ids(model, *shape, seed=0) -> torch.Tensor:
    """Return token ids of its vocabulary."""
    luck = torch.Generator().manual_seed(seed)
    return torch.randint(model.config.vocab_size, shape, generator=luck)
