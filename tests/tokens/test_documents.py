"""helpers.tokens.documents: texts as ids, rows of one length, where words begin."""

import pytest
import torch

from helpers.tokens import document_ids, pad, pretokenise, token_texts, word_starts

TEXTS = ["", "Once", " Tom's 25 kites!\n\nÇa va ½ x²?"]


@pytest.mark.parametrize("text", TEXTS)
def test_words_begin_where_they_say(tokenizer, text):
    ids = document_ids(tokenizer, text)[0].tolist()
    starts = word_starts(tokenizer, text)
    assert ids[0] == tokenizer.eos_token_id
    parts = [ids[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    assert [tokenizer.decode(part) for part in parts] == pretokenise(text)
    assert starts[-1] == len(ids)


def test_rows_are_filled_on_either_side():
    assert pad([[1, 2], [3]], 0).tolist() == [[1, 2], [3, 0]]
    assert pad([(1, 2), (3,)], -100, side="left").tolist() == [[1, 2], [-100, 3]]


def test_texts_name_the_end_token_and_hide_the_pads(tokenizer):
    word = tokenizer("Once")["input_ids"]
    ids = torch.tensor([[tokenizer.eos_token_id] * 2 + word])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    batch["attention_mask"][0, 0] = 0
    shown = token_texts(batch, tokenizer, pad="pad")
    assert shown[0][:2] == ["pad", "¶"] and "".join(shown[0][2:]) == "Once"
