"""Perplexity in sliding windows beside brute force and the library's own loss."""

import math
import random
import tracemalloc
from itertools import islice

import pytest
import torch
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.evaluation import (
    corpus_perplexity,
    document_losses,
    perplexity,
    running_perplexity,
)
from helpers.evaluation.perplexity import _tokens, windows
from helpers.gpt2 import GPT2
from helpers.worlds import FRESH, load_world, ratio


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    size = {"vocab_size": 60, "n_positions": 16, "n_embd": 32, "n_layer": 2}
    return GPT2LMHeadModel(GPT2Config(**size, n_head=2)).eval()


@pytest.fixture(scope="module")
def ids():
    return torch.randint(60, (100,), generator=torch.Generator().manual_seed(1))


def brute(model, ids):
    """Score each token with as much before it as the model reads."""
    nats = []
    for i in range(1, len(ids)):
        before = ids[max(0, i - model.config.n_positions) : i]
        with torch.no_grad():
            logs = model(before[None]).logits[0, -1].double().log_softmax(-1)
        nats.append(-logs[ids[i]].item())
    return sum(nats) / len(nats)


def test_at_stride_1_every_token_has_all_that_can_be_read(tiny, ids):
    result = perplexity(tiny, ids, stride=1)
    assert result.nll == pytest.approx(brute(tiny, ids), abs=1e-5)
    assert result.ppl == pytest.approx(math.exp(result.nll))


@pytest.mark.parametrize("n", [2, 3, 15, 16, 17, 18, 31, 32, 33, 100])
def test_every_token_but_the_first_is_scored_once(n):
    for context in (1, 2, 16):
        for stride in range(1, context + 1):
            scored = []
            for row, some in windows(list(range(n)), context, stride):
                assert len(row) <= context + 1 and 1 <= some <= len(row) - 1
                assert row == list(range(row[0], row[0] + len(row)))
                scored += row[-some:]
            assert scored == list(range(1, n))


def test_short_documents_cost_what_the_library_says(pocket):
    model, tokenizer = pocket
    texts = [load_world("stories").sample(FRESH + i) for i in range(5)] + ["", "a"]
    result = corpus_perplexity(model, tokenizer, iter(texts), batch_size=2)
    nats, sizes = [], []
    for text in texts:
        row = torch.tensor([[tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]])
        if row.shape[1] > 1:
            with torch.no_grad():
                nats.append(model(row, labels=row).loss.item() * (row.shape[1] - 1))
            sizes.append(row.shape[1] - 1)
    known = ratio(nats, sizes)
    assert result.nll == pytest.approx(known.value, abs=1e-5)
    assert result.error == pytest.approx(known.error, rel=1e-3)
    assert (result.tokens, result.pieces) == (sum(sizes), len(sizes))
    text = "".join(texts)
    assert result.bytes == len(text.encode()) and result.characters == len(text)
    assert result.words == sum(len(one.split()) for one in texts)
    bits = sum(nats) / math.log(2)
    assert result.bits_per_byte == pytest.approx(bits / len(text.encode()))
    assert result.ppl_per_word == pytest.approx(math.exp(sum(nats) / result.words))


@pytest.mark.parametrize("stride", [1, 2, 7, 15, 16])
@pytest.mark.parametrize("n", [1, 2, 16, 17, 100])
def test_windows_are_those_of_the_evaluation_harness(tiny, ids, n, stride):
    tokens, context = ids[:n].tolist(), 16 - stride + 1
    given, total = get_rolling_token_windows(tokens, 0, 16, context), 0.0
    pairs = [make_disjoint_window(pair) for pair in given]
    own = [
        (row[:-some], row[-some:]) for row, some in windows([0, *tokens], 16, stride)
    ]
    assert own == pairs
    for before, after in pairs:
        row = torch.tensor([before + after])
        with torch.no_grad():
            logs = tiny(row[:, :-1]).logits[0, -len(after) :].log_softmax(-1)
        total -= logs.gather(1, torch.tensor(after)[:, None]).sum().item()
    result = perplexity(tiny, [0, *tokens], stride=stride)
    assert result.nll * result.tokens == pytest.approx(total, rel=1e-5)
    assert result.tokens == len(tokens)


@pytest.mark.parametrize("stride", [1, 5, 16])
def test_neither_batches_nor_form_change_the_figure(tiny, ids, stride):
    alone = perplexity(tiny, ids, stride=stride, batch_size=1)
    engine = GPT2.from_hf(tiny)
    for model in (tiny, engine):
        some = perplexity(model, ids[None], stride=stride, batch_size=7)
        assert some.nll == pytest.approx(alone.nll, abs=1e-5)


def test_a_corpus_larger_than_memory_is_read_as_it_comes(pocket):
    model, tokenizer = pocket
    read = []

    def endless():
        while True:
            read.append(None)
            yield "a kite"

    results = list(islice(running_perplexity(*pocket, endless()), 40))
    assert len(read) < 500
    assert results[-1].tokens > results[0].tokens and results[-1].error < 1e-6


def test_a_very_long_line_is_tokenised_in_parts(pocket):
    tokenizer, choose = pocket[1], random.Random(0)
    pieces = [
        "kite",
        " ",
        "  ",
        "\n",
        "naïve",
        "🙂",
        ".",
        "\x1c",
        "'s",
        "日本",
        "\u00a0",
    ]
    text = "".join(choose.choices(pieces, k=80_000))
    assert len(text) > 150_000
    ids, shares = zip(*_tokens(tokenizer, text), strict=True)
    assert list(ids) == tokenizer(text, verbose=False)["input_ids"]
    sizes = [round(sum(size)) for size in zip(*shares, strict=True)]
    assert sizes == [len(text), len(text.encode()), len(text.split())]


def test_a_line_of_20_megabytes_is_read_in_little_memory():
    text = "twenty megabytes of words " * 800_000

    def tokenizer(text, verbose):  # a fast one: a token for each word
        return {"input_ids": list(range(1000, 1000 + text.count(" ")))}

    tracemalloc.start()
    tokens = sum(some for _, some in windows(_tokens(tokenizer, text), 1024, 512))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(text) > 20e6 and tokens == 3_200_000 - 1
    assert peak < 5e6


def test_no_white_space_for_long_is_cut_and_every_character_counts(pocket):
    text = "日本語" * 50_000
    _, shares = zip(*_tokens(pocket[1], text), strict=True)
    sizes = [round(sum(size)) for size in zip(*shares, strict=True)]
    assert sizes == [len(text), len(text.encode()), 2]  # parts, words for all we know


def test_joined_documents_are_one_text(pocket):
    texts = [load_world("stories").sample(FRESH + i) + "\n" for i in range(8)]
    ids = pocket[1]("".join(texts))["input_ids"]
    row = [pocket[1].eos_token_id, *ids]
    joined = corpus_perplexity(*pocket, texts, joined=True, stride=100)
    assert joined.tokens == len(ids) and joined.pieces == 1
    assert joined.nll == pytest.approx(perplexity(pocket[0], row, stride=100).nll)
    apart = corpus_perplexity(*pocket, texts, stride=100)
    assert apart.tokens == joined.tokens and apart.pieces == 8
    assert apart.bytes == joined.bytes and apart.nll != joined.nll


@pytest.mark.parametrize("text", ["a", "\ufeff", "\x00\x7f\x1b", "ⵣ🙂\u200d", "\r\n\t"])
def test_any_character_can_be_scored(pocket, text):
    result = corpus_perplexity(*pocket, [text])
    assert result.tokens == len(pocket[1](text)["input_ids"])
    assert result.bytes == len(text.encode()) and math.isfinite(result.bits_per_byte)
    assert math.isnan(result.error)


def test_a_result_of_bfloat16_is_near(pocket):
    ids = pocket[1](load_world("stories").sample(FRESH))["input_ids"]
    near = perplexity(pocket[0], torch.tensor(ids), dtype=torch.bfloat16)
    assert near.nll == pytest.approx(perplexity(pocket[0], ids).nll, rel=0.05)


BAD = [
    ({"input_ids": [3]}, "expected ids (seq,) of two tokens or more, got (1,)"),
    ({"input_ids": [[1, 2], [3, 4]]}, "expected ids (seq,) of two tokens or more"),
    ({"input_ids": [0.5, 1]}, "expected ids (seq,) of two tokens or more"),
    ({"input_ids": [1, 60]}, "token id 60 is outside the vocabulary, 0 … 59"),
    ({"stride": 17}, "stride is 17, expected a whole number from 1 to 16"),
    ({"stride": 0}, "stride is 0, expected a whole number from 1 to 16"),
    ({"batch_size": 0}, "batch_size is 0, expected a whole number from 1"),
]


@pytest.mark.parametrize(("options", "line"), BAD)
def test_mistakes_are_told_in_one_line(tiny, options, line):
    with pytest.raises(ValueError) as error:
        perplexity(tiny, **{"input_ids": [1, 2], **options})
    assert str(error.value).startswith(line) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("texts", "line"),
    [([], "no document"), (["", ""], "no document"), ("text", "expected documents")],
)
def test_what_has_nothing_to_score_says_so(pocket, texts, line):
    with pytest.raises(ValueError, match=line):
        corpus_perplexity(*pocket, texts)


def test_document_losses_count_the_end_as_well(pocket):
    text = load_world("stories").sample(FRESH)
    own = corpus_perplexity(*pocket, [text])
    (nats,), (tokens,) = document_losses(*pocket, [text])
    assert tokens == own.tokens + 1 and nats >= own.nll * own.tokens - 1e-3
