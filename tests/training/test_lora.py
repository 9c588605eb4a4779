"""LoRA: equal to the package that people use, and mergeable."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.training.lora import LAYERS, add_lora, merge_lora

IDS = torch.arange(24).view(2, 12) % 20
OPTIONS = {"r": 4, "lora_alpha": 8, "fan_in_fan_out": True}


@pytest.fixture
def model():
    torch.manual_seed(0)
    size = {"vocab_size": 20, "n_embd": 16, "n_layer": 2, "n_head": 2}
    drops = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    config = GPT2Config(**size, **drops, bos_token_id=None, eos_token_id=None)
    model = GPT2LMHeadModel(config)
    model.loss_type = "ForCausalLM"
    return model


def loras(model, ours):
    """Return (A, B) of each layer, ours and peft's alike as (in, rank), (rank, out)."""
    parts = dict(model.named_parameters())
    if ours:
        return [(a, parts[n[:-1] + "B"]) for n, a in parts.items() if n[-2:] == ".A"]
    pairs = [(n, n.replace("lora_A", "lora_B")) for n in parts if "lora_A" in n]
    return [(parts[a].T, parts[b].T) for a, b in pairs]


def trained(model, ours):
    """Return the logits of a model after three steps from the same A and B."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for pair in loras(model, ours):
            for part in pair:
                part.copy_(torch.randn(part.shape, generator=draw) / 10)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.5)
    for _ in range(3):
        model(IDS, labels=IDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model(IDS).logits.detach()


def test_learns_as_peft_does(model):
    theirs = copy.deepcopy(model)
    theirs = get_peft_model(theirs, LoraConfig(**OPTIONS, target_modules=[*LAYERS]))
    before, ours = model(IDS).logits, add_lora(model, rank=4, alpha=8)
    sizes = [
        sum(p.numel() for p in m.parameters() if p.requires_grad)
        for m in (ours, theirs)
    ]
    assert sizes[0] == sizes[1]
    torch.testing.assert_close(ours(IDS).logits, before)  # B is 0
    logits = trained(ours, True)
    torch.testing.assert_close(logits, trained(theirs, False), atol=1e-5, rtol=1e-5)
    assert (logits - before).abs().max() > 0.1


def test_merged_it_is_a_plain_model_that_says_the_same(model, tmp_path):
    logits = trained(add_lora(model, rank=4, layers=("c_attn",)), True)
    merge_lora(model).save_pretrained(tmp_path)
    again = GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(again(IDS).logits, logits, atol=1e-5, rtol=1e-5)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank is 0, expected a whole number from 1 to 16"),
        ({"layers": ("q_proj",)}, "no Conv1D of the model is named q_proj"),
    ],
)
def test_what_cannot_be_is_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        add_lora(model, **options)
