"""Losses, gaps and shares, against slow and obvious ways to get them."""

import pytest
import torch

from helpers.evaluation.losses import document_losses, gap_to_floor
from helpers.evaluation.samples import sample_texts


@pytest.fixture(scope="module")
def texts(world):
    return [world.sample(10**9 + i) for i in range(5)] + ["Tom", "Once upon a time"]


def test_document_losses_are_those_of_the_library(pocket, texts):
    model, tokenizer = pocket
    losses, tokens = document_losses(model, tokenizer, texts, batch_size=3)
    for text, loss, n in zip(texts, losses, tokens, strict=True):
        eos = tokenizer.eos_token_id
        ids = torch.tensor([[eos, *tokenizer(text)["input_ids"], eos]])
        with torch.no_grad():
            mean = model(ids, labels=ids).loss.item()
        assert n == ids.shape[1] - 1
        assert loss == pytest.approx(mean * n, rel=1e-4)


def test_the_engine_has_the_losses_of_the_library(pocket, engine, texts):
    losses, tokens = document_losses(*engine, texts)
    wanted = document_losses(*pocket, texts)
    assert tokens == wanted[1] and losses == pytest.approx(wanted[0], rel=1e-4)


def test_no_model_beats_the_floor_and_the_pocket_model_comes_close(pocket, world):
    loss, floor, excess = gap_to_floor(*pocket, world, 40, seed=2 * 10**9)
    assert loss.value - floor.value == pytest.approx(excess.value, abs=1e-9)
    assert 0 < excess.value < 0.05  # 0.033 as measured for the model card
    assert excess.error < loss.error


def test_greedy_samples_are_generate_one_by_one(pocket):
    model, tokenizer = pocket
    prompts = ["Once upon a time", "This is the story of Tom", "Once"]
    written = sample_texts(model, tokenizer, 3, prompts=prompts, max_new_tokens=30)
    for prompt, text in zip(prompts, written, strict=True):
        ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(prompt)["input_ids"]]])
        options = {"max_new_tokens": 30, "pad_token_id": tokenizer.eos_token_id}
        mask = torch.ones_like(ids)
        alone = model.generate(ids, attention_mask=mask, do_sample=False, **options)
        assert text == tokenizer.decode(alone[0, 1:], skip_special_tokens=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda *m: document_losses(*m, []), r"expected a list of texts, got \[\]"),
        (lambda *m: document_losses(*m, [None]), "expected a text, got NoneType"),
        (lambda *m: document_losses(*m, ["a"], batch_size=-1), "batch_size is -1, exp"),
        (lambda *m: gap_to_floor(*m, None, 0), "n is 0, expected a whole number from"),
        (lambda *m: sample_texts(*m, 0), "n is 0, expected a whole number from 1"),
        (lambda *m: sample_texts(*m, 2, prompts="ab"), "expected a list of texts, got"),
        (lambda *m: sample_texts(*m, 1, prompts=["a b" * 600]), "model reads at most"),
    ],
)
def test_what_cannot_be_measured_has_its_own_line(pocket, call, message):
    with pytest.raises(ValueError, match=message):
        call(*pocket)
