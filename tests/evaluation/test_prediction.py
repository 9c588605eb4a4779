"""helpers.prediction: equal to slow, obvious loops and to the library's loss."""

import math

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

from helpers.evaluation.prediction import next_word_probs, sequence_log_probs
from helpers.tokens.byte_level import pretokenise as words
from helpers.tokens.documents import document_ids
from tests.random_models import random_ids, random_model

EOS = "<|endoftext|>"
TEXT = 'Tom had a kite. Tom\'s kites flew in the wind, and Ann said "kites fly".'
CANDIDATES = [" kite", " kites", " Tom", ".", ",", " wonderful", '."', EOS]


def trained(text, size):
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator([text], vocab_size=size, special_tokens=[EOS])
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token=EOS)


@pytest.fixture(scope="module")
def tokenizer():
    """A BPE of 300 tokens, so that most words are several of them."""
    return trained(TEXT, 300)


@pytest.fixture(scope="module")
def model(tokenizer):
    return random_model(vocab_size=len(tokenizer))


def chain(model, tokenizer, text, n):
    """The product of the last n tokens' probabilities, one forward pass for each."""
    ids, product = document_ids(tokenizer, text), 1.0
    for t in range(ids.shape[1] - n, ids.shape[1]):
        with torch.no_grad():
            logits = model(ids[:, :t]).logits[0, -1].double()
        product *= logits.softmax(dim=-1)[ids[0, t]].item()
    return product


def unfinished(model, tokenizer, text):
    """The probability that the next token lengthens the last word of the text."""
    with torch.no_grad():
        logits = model(document_ids(tokenizer, text)).logits[0, -1]
    pieces = [tokenizer.decode([i]) for i in range(len(tokenizer))]
    longer = [words(text + p)[: len(words(text))] != words(text) for p in pieces]
    longer[tokenizer.eos_token_id] = False
    return logits.double().softmax(dim=-1)[torch.tensor(longer)].sum().item()


@pytest.mark.parametrize("prefix", ["", "Tom", "Tom had a", "Tom had a kite"])
def test_word_probs_equal_the_obvious_loop(model, tokenizer, prefix):
    found = next_word_probs(model, tokenizer, prefix, CANDIDATES)
    begun = 1 - (unfinished(model, tokenizer, prefix) if prefix else 0.0)
    for word in CANDIDATES:
        n = len(tokenizer(word)["input_ids"])
        wanted = chain(model, tokenizer, prefix + word, n) / begun
        if word != EOS:
            wanted *= 1 - unfinished(model, tokenizer, prefix + word)
        assert found[word] == pytest.approx(wanted, rel=1e-4), word


def test_words_share_all_the_probability():
    """Where only "a", "." and the end can be written, all words are easily listed."""
    letters, model = trained("a b", 257), random_model(vocab_size=257)
    model.lm_head.weight.data = torch.zeros(257, 32)  # all equally likely
    bias = torch.full((257,), -math.inf)
    bias[[*letters("a.")["input_ids"], letters.eos_token_id]] = 0.0
    model.lm_head.register_forward_hook(lambda _, args, out: out + bias)
    for prefix, others in (("", ["a", "."]), ("a", ["."]), ("a.", ["a"])):
        every = [EOS, *(c * n for c in others for n in range(1, 20))]
        total = sum(next_word_probs(model, letters, prefix, every).values())
        assert total == pytest.approx(1, abs=1e-5)


def test_log_probs_are_the_loss_of_the_library(model, tokenizer):
    ids = document_ids(tokenizer, TEXT)
    with torch.no_grad():
        loss = model(ids, labels=ids).loss
    found = sequence_log_probs(model, ids)
    torch.testing.assert_close(-found.mean(), loss)


def test_log_probs_equal_one_step_at_a_time(model):
    ids = random_ids(model, 2, 12)
    found = sequence_log_probs(model, ids)
    for row in range(2):
        for t in range(1, 12):
            with torch.no_grad():
                logits = model(ids[row : row + 1, :t]).logits[0, -1]
            wanted = logits.log_softmax(dim=-1)[ids[row, t]]
            torch.testing.assert_close(found[row, t - 1], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("prefix", "word", "message"),
    [
        ("Tom", "my", "'my' is not one new word after 'Tom'"),
        ("Tom ", "had", "'had' is not one new word after ' '"),
        ("Tom", " had a", "' had a' is not one new word after 'Tom'"),
        ("Tom", 1, "expected a text, got int"),
        (None, " a", "expected a text, got NoneType"),
    ],
)
def test_what_is_no_new_word_is_refused(model, tokenizer, prefix, word, message):
    with pytest.raises(ValueError, match=message):
        next_word_probs(model, tokenizer, prefix, [word])


def test_texts_too_long_or_too_short_are_refused(model, tokenizer):
    with pytest.raises(ValueError, match="the model reads at most 64"):
        next_word_probs(model, tokenizer, TEXT * 9, [" Tom"])
    with pytest.raises(ValueError, match=r"at least 2 tokens\), got \(1, 1\)"):
        sequence_log_probs(model, document_ids(tokenizer, ""))
