"""helpers.reading: in whatever pieces a model reads, it reads the same."""

import pytest
import torch

from helpers.decoding.reader import Reader
from helpers.gpt2 import GPT2
from tests.random_models import random_model

VOCAB, SEQ = 24, 9


@pytest.fixture(scope="module")
def reference():
    return random_model(vocab_size=VOCAB, n_layer=2, n_embd=8, n_positions=16)


@pytest.fixture(scope="module", params=["engine", "transformers"])
def model(request, reference):
    return GPT2.from_hf(reference) if request.param == "engine" else reference


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


ids = torch.randint(VOCAB, (3, SEQ), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pieces", [[9], [1] * 9, [4, 5], [2, 1, 5, 1]])
def test_any_pieces_give_the_logits_of_one_pass(model, reference, pieces):
    logits = reference(ids).logits
    reader, end = Reader(model, 3, SEQ), 0
    for piece in ids.split(pieces, dim=1):
        end += piece.shape[1]
        made = reader.read(piece)
        assert made.shape == (3, VOCAB)
        assert made.dtype == torch.float32
        assert torch.allclose(made, logits[:, end - 1], atol=1e-5)
        assert reader.length == end


@pytest.mark.parametrize("pieces", [[5, 4], [5, 1, 1, 2]])
def test_pads_on_the_left_change_nothing(model, reference, pieces):
    pads = torch.tensor([0, 2, 4])
    mask = (torch.arange(5) >= pads[:, None]).long()  # of the first five tokens
    reader, end = Reader(model, 3, SEQ, mask), 0
    for piece in ids.split(pieces, dim=1):
        end += piece.shape[1]
        made = reader.read(piece)
        for row, pad in enumerate(pads.tolist()):
            alone = reference(ids[row : row + 1, pad:end]).logits[0, -1]
            assert torch.allclose(made[row], alone, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_rows_are_selected_with_what_they_have_read(model, reference, masked):
    mask = torch.ones_like(ids)
    if masked:
        mask[1, :3] = 0
    reader = Reader(model, 3, SEQ + 2, mask if masked else None)
    reader.read(ids)
    rows = torch.tensor([1, 1, 0, 2, 1])  # in another order, some of them twice
    reader.select(rows)
    new = torch.arange(5)[:, None] + 1
    made = reader.read(new)
    for i, row in enumerate(rows.tolist()):
        text = torch.cat([ids[row][mask[row] == 1], new[i]])
        assert torch.allclose(made[i], reference(text[None]).logits[0, -1], atol=1e-5)


def test_states_are_what_the_head_reads(model, reference):
    states = reference(ids, output_hidden_states=True).hidden_states[-1]
    reader = Reader(model, 3, SEQ)
    logits, first = reader.read_states(ids[:, :6])
    assert torch.allclose(first, states[:, :6], atol=1e-5)
    logits, last = reader.read_states(ids[:, 6:])
    assert torch.allclose(last, states[:, 6:], atol=1e-5)
    assert torch.allclose(logits, reference.lm_head(states[:, -1]), atol=1e-5)
