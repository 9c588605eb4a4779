"""What silencing costs: the places that are scored, and the lines that are cut."""

import math

import pytest
import torch

from helpers.attention.costs import Texts, read, recall_texts, story_texts
from helpers.attention.effects import line_effects
from helpers.attention.hooks import change_heads
from helpers.attention.weights import attention_weights, projections
from helpers.gpt2 import GPT2
from helpers.tokens.documents import document_ids
from helpers.worlds.tasks import list_prompt
from helpers.worlds.world import FRESH
from tests.random_models import random_ids


def test_losses_are_the_library_s_and_pads_change_nothing(pocket, world):
    model, tokenizer = pocket
    texts = story_texts(tokenizer, world, [FRESH, FRESH + 1])
    found = read(GPT2.from_hf(model), texts)
    for row, seed in enumerate((FRESH, FRESH + 1)):
        ids = document_ids(tokenizer, world.sample(seed))
        with torch.no_grad():
            wanted = model(ids, labels=ids).loss.item()
        assert found.loss[row].item() == pytest.approx(wanted, abs=1e-4)


def test_right_is_the_share_of_places_where_the_favourite_is_right(library):
    ids = torch.tensor([[96, 1, 2, 3], [96, 4, 5, 6], [96, 7, 8, 9]])
    favourites = library(ids).logits.argmax(-1)
    ids[0, 3] = favourites[0, 2]
    places = torch.zeros(3, 4, dtype=torch.bool)
    places[0, 2:] = places[1, 1] = True
    expected = [(ids[0, 2] == favourites[0, 1]).float().item() / 2 + 0.5]
    expected.append((ids[1, 1] == favourites[1, 0]).float().item())
    _, right, lead = read(GPT2.from_hf(library), Texts(ids, places, places))
    assert right[:2].tolist() == expected and right[2].isnan()
    logits = library(ids).logits[1, 0]
    others = logits.clone().index_fill(0, ids[1, 1], -math.inf)
    gap = (logits[ids[1, 1]] - others.max()).item()
    assert lead[1].item() == pytest.approx(gap, abs=1e-4) and lead[2].isnan()


def test_the_last_value_of_a_list_is_its_only_place(pocket):
    _, tokenizer = pocket
    texts = recall_texts(tokenizer, range(4))
    assert texts.places.sum(1).tolist() == [1] * 4
    assert torch.equal(texts.places, texts.scored)
    for seed in range(4):
        answer = tokenizer(list_prompt("recall", 5, seed)[1])["input_ids"]
        assert texts.ids[seed][texts.places[seed]].item() == answer[0]


def test_effects_are_those_of_cutting_line_by_line(library):
    ids = random_ids(library, 1, 7)
    lines = line_effects(library, ids)
    assert lines.weights.shape == lines.lengths.shape == lines.effects.shape
    whole = library(ids).logits[0, -1].softmax(-1)
    weights, values = attention_weights(library, ids), projections(library, ids)[2]
    for layer, head, key in [(0, 3, 0), (1, 0, 6), (2, 2, 4)]:
        flow = weights[layer, 0, head, -1, key] * values[layer, 0, head, key]

        def subtract(gathered, head=head, flow=flow):
            gathered = gathered.clone()
            gathered[0, -1, head] -= flow
            return gathered

        with change_heads(library, layer, subtract):
            without = library(ids).logits[0, -1].softmax(-1)
        moved = (without - whole).abs().sum().item() / 2
        assert lines.effects[layer, head, key].item() == pytest.approx(moved, abs=1e-5)


def test_a_length_is_that_of_what_reaches_the_stream(library):
    ids = random_ids(library, 1, 5)
    lines = line_effects(library, ids)
    value = projections(library, ids)[2][1, 0, 3, 2]  # layer 1, head 3, token 2
    outward = library.transformer.h[1].attn.c_proj.weight[24:32]
    wanted = (value @ outward).norm().item()
    assert lines.lengths[1, 3, 2].item() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("shape", [(2, 5), (1, 1)])
def test_lines_need_one_text_of_two_tokens(library, shape):
    with pytest.raises(ValueError, match="at least 2 tokens"):
        line_effects(library, torch.zeros(shape, dtype=torch.long))
