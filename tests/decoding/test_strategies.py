"""helpers.strategies: what a beginner calls, each strategy by its name."""

import math
from functools import lru_cache

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.decoding import generate, sample, strategies, temperature, top_p
from helpers.decoding.strategies import engine, generate_text, stream_text
from helpers.gpt2 import GPT2
from helpers.options import NUMBERS, STRATEGIES, taken
from tests.random_models import random_model

EOS = "<|endoftext|>"
TEXT = "Tom had a kite. Ann had a fox 🦊. The kite flew over the fox."
PROMPT = "Tom had"
DRAWN = ("sample", "top_k", "top_p", "min_p", "typical")


def tokenizer_of(size):
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator([TEXT], vocab_size=size, special_tokens=[EOS])
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token=EOS)


@pytest.fixture(scope="module")
def pair():
    """A random GPT-2 whose tokens are words, letters and halves of an emoji."""
    tokenizer = tokenizer_of(265)
    size = {"n_layer": 1, "n_head": 2, "n_embd": 16, "vocab_size": len(tokenizer)}
    return GPT2.from_hf(random_model(**size)), tokenizer


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategy_continues_the_prompt_and_draws_by_its_seed(pair, strategy):
    options = {"model": pair, "strategy": strategy, "max_new_tokens": 12}
    made = [generate_text(PROMPT, seed=seed, **options) for seed in (0, 0, 1, 2, 3)]
    assert made[0] == made[1] and (len(set(made)) > 1) == (strategy in DRAWN)
    assert all(text.startswith(PROMPT) and text != PROMPT for text in made)


@pytest.mark.parametrize("strategy", ["greedy", *DRAWN])
def test_pieces_join_to_the_text_and_cut_no_character(pair, strategy):
    for seed in range(5):
        options = {"model": pair, "strategy": strategy, "seed": seed}
        pieces = list(stream_text(PROMPT, max_new_tokens=30, **options))
        text = generate_text(PROMPT, max_new_tokens=30, **options)
        assert PROMPT + "".join(pieces) == text
        assert all(pieces)
        assert not any(piece.endswith("\ufffd") for piece in pieces)


def test_top_p_is_its_rules_and_its_picker(pair):
    model, tokenizer = pair
    ids = torch.tensor([[0, *tokenizer(PROMPT)["input_ids"]]])
    options = {"max_new_tokens": 12, "eos_token_id": 0}
    rules = [temperature(0.8), top_p(0.9)]
    made = generate(model, ids, rules=rules, pick=sample(5), **options)
    text = tokenizer.decode(made[0], skip_special_tokens=True).rstrip("\ufffd")
    assert generate_text(PROMPT, model=pair, seed=5, max_new_tokens=12) == text


ENDS = [
    (strategy, name, end)
    for strategy in STRATEGIES
    for name in taken(strategy)
    if name in NUMBERS
    for end in (NUMBERS[name].least, NUMBERS[name].most)
    if end != math.inf
]


@pytest.mark.parametrize(("strategy", "name", "end"), ENDS)
def test_nothing_breaks_at_the_ends_of_a_range(pair, strategy, name, end):
    strongest = {} if strategy == "contrastive" else {"repetition_penalty": 1e-4}
    options = {"max_new_tokens": 30, **strongest, name: end}
    assert generate_text(PROMPT, model=pair, strategy=strategy, **options)
    beyond = end + (1 if end == NUMBERS[name].most else -1)
    with pytest.raises(ValueError, match=f"^{name} is .*, expected a "):
        generate_text(PROMPT, model=pair, strategy=strategy, **{name: beyond})


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("sample", {"temperature": 1e-4}),
        ("top_k", {"top_k": 1}),
        ("top_p", {"top_p": 1e-4}),
        ("min_p", {"min_p": 1.0}),
        ("beam", {"num_beams": 1}),
        ("contrastive", {"k": 1}),
        ("contrastive", {"alpha": 0}),
        ("top_p", {"temperature": 1e-4, "top_p": None}),  # None is the default
    ],
)
def test_narrowest_of_each_strategy_is_greedy(pair, strategy, options):
    greedy = generate_text(PROMPT, model=pair, strategy="greedy", max_new_tokens=8)
    options |= {"model": pair, "strategy": strategy, "max_new_tokens": 8}
    assert generate_text(PROMPT, **options).startswith(greedy)


def test_repetition_rules_reach_all_strategies_but_one(pair):
    for strategy in set(STRATEGIES) - {"contrastive"}:
        options = {"model": pair, "strategy": strategy, "max_new_tokens": 20}
        plain, never = (
            generate_text(PROMPT, no_repeat_ngram=n, **options) for n in (None, 1)
        )
        assert plain != never


def scripted(tokenizer, text):
    """A model that writes the same text whatever it reads."""
    script = iter(tokenizer(text)["input_ids"])
    model = random_model(vocab_size=len(tokenizer))

    def write(head, args, logits):
        return 50 * torch.eye(len(tokenizer))[[next(script)]].expand_as(logits)

    model.lm_head.register_forward_hook(write)
    return model


@pytest.mark.parametrize(
    ("prompt", "stop", "wanted"),
    [
        ("Tom", "d a k", "Tom had a k"),  # in the middle of two tokens
        ("Tom.", ".", "Tom. had a kite."),  # the prompt's own does not stop it
        ("Tom", "m ha", "Tom ha"),  # it may begin in the prompt, end in a token
        ("Tom", "🦊", "Tom had a kite. 🦊"),
        ("Tom", "owl", "Tom had a kite. 🦊"),
        ("Tom", None, "Tom had a kite. 🦊"),
    ],
)
def test_text_ends_with_the_string_it_stops_at(prompt, stop, wanted):
    tokenizer = tokenizer_of(290)
    model = scripted(tokenizer, f" had a kite. 🦊{EOS}")
    options = {"model": (model, tokenizer), "strategy": "greedy", "stop": stop}
    assert generate_text(prompt, **options) == wanted


def test_text_that_ends_in_half_a_character_ends_before_it():
    tokenizer = tokenizer_of(262)  # nothing but bytes
    for tokens, text in ((4, "xab"), (6, "xab🦊")):
        options = {"model": (scripted(tokenizer, "ab🦊"), tokenizer)}
        options |= {"strategy": "greedy", "max_new_tokens": tokens}
        assert generate_text("x", **options) == text


def test_prompt_is_kept_as_it_is_typed(pair):
    for strategy in STRATEGIES:
        prompt = f" Tom {EOS} had  a\tkite"
        made = generate_text(prompt, model=pair, strategy=strategy, max_new_tokens=5)
        assert made.startswith(prompt)
    assert generate_text("", model=pair, max_new_tokens=5) is not None


def test_text_fills_the_context_where_nothing_is_said(pair):
    never_ends = {"model": pair, "strategy": "greedy", "repetition_penalty": 1.0}
    model, tokenizer = pair
    prompt = "Tom had a kite. " * 4
    left = 64 - 1 - len(tokenizer(prompt)["input_ids"])
    assert len(list(stream_text(prompt, **never_ends))) <= left
    with pytest.raises(ValueError, match=r"^\d+ tokens, but the model reads at most"):
        generate_text(prompt * 5, **never_ends)


def test_names_load_the_engine_once_and_follow_the_environment(monkeypatch, pair):
    def load_model(name):
        loaded.append(name)
        odd = name == "odd"  # what the engine cannot do
        model = random_model(scale_attn_by_inverse_layer_idx=odd)
        return model, "tokenizer"

    loaded = []
    monkeypatch.setattr(strategies, "load_model", load_model)
    monkeypatch.setattr(strategies, "_load", lru_cache(strategies._load.__wrapped__))
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert engine("pocket") is engine() is engine(None)
    assert isinstance(engine()[0], GPT2)
    monkeypatch.setenv("COURSE_MODEL", "odd")
    assert isinstance(engine()[0], GPT2LMHeadModel)
    assert loaded == ["pocket", "odd"]


KNOWN = "greedy, sample, top_k, top_p, min_p, typical, beam, contrastive"
REST = "repetition_penalty, no_repeat_ngram"
PAIR = "expected a model's name or (model, tokenizer), n"
BAD = [
    ({"strategy": "nucleus"}, f"'nucleus' is unknown: expected one of {KNOWN}"),
    (
        {"top_p": 0},
        "top_p is 0, expected a number from 0.0001 to 1 (keep this much prob",
    ),
    ({"top_p": True}, "top_p is True, expected a number from 0.0001 to 1"),
    ({"temperature": "1"}, "temperature is '1', expected a number"),
    ({"strategy": "top_k", "top_k": 2.0}, "top_k is 2.0, expected a whole number from"),
    (
        {"strategy": "top_k", "top_k": 999},
        "k is 999, expected at most the vocabulary's",
    ),
    ({"stop": ""}, "the string to stop at is '', expected some characters"),
    ({"prompt": "caf\udce9"}, "character 3, '\\udce9', is half of a pair"),
]
UNFIT = [
    ({"topp": 0.9}, f"max_new_tokens, temperature, top_p, {REST}, stop; not topp"),
    ({"strategy": "beam", "stop": "."}, f"num_beams, length_penalty, {REST}; not stop"),
    ({"strategy": "contrastive", "top_k": 5}, "max_new_tokens, k, alpha; not top_k"),
    ({"seed": "7"}, "sample takes a seed, as sample(0), or a Generator: not str"),
    ({"prompt": 5}, "expected prompt as a string, got int"),
    ({"model": GPT2}, PAIR),
    ({"model": ("tokenizer", GPT2)}, PAIR),
]


@pytest.mark.parametrize(
    ("options", "line", "kind"),
    [(*case, ValueError) for case in BAD] + [(*case, TypeError) for case in UNFIT],
)
def test_bad_input_has_its_own_line(pair, options, line, kind):
    with pytest.raises(kind) as error:
        generate_text(**{"prompt": PROMPT, "model": pair, **options})
    assert line in str(error.value) and "\n" not in str(error.value)


def test_stream_complains_when_it_is_called(pair):
    with pytest.raises(ValueError, match="^strategy 'beam' cannot stream: its choice"):
        stream_text(PROMPT, model=pair, strategy="beam")
    with pytest.raises(TypeError):
        stream_text(PROMPT, model=pair, strategy="greedy", top_k=4)
