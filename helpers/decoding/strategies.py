"""Strategies by name: what a beginner calls to let a GPT-2 write.

    generate_text("Once upon a time", strategy="top_p", top_p=0.9, seed=1)

A strategy is a set of rules with a picker, or a search; ``helpers.decoding`` has the
parts.
"""

import os
from collections.abc import Iterator
from functools import lru_cache

import torch

from helpers import decoding
from helpers.gpt2 import GPT2, pack
from helpers.inputs import context_length
from helpers.models import load_model

DEFAULTS = {
    "greedy": {},
    "sample": {"temperature": 0.8},
    "top_k": {"temperature": 0.8, "top_k": 50},
    "top_p": {"temperature": 0.8, "top_p": 0.9},
    "min_p": {"temperature": 0.8, "min_p": 0.1},
    "typical": {"temperature": 0.8, "typical_p": 0.9},
    "beam": {"num_beams": 4, "length_penalty": 1.0},
    "contrastive": {"k": 4, "alpha": 0.6},
}
# In the order in which they are applied, which is the library's.
RULES = {
    "repetition_penalty": decoding.repetition_penalty,
    "no_repeat_ngram": decoding.no_repeat_ngram,
    "temperature": decoding.temperature,
    "top_k": decoding.top_k,
    "top_p": decoding.top_p,
    "min_p": decoding.min_p,
    "typical_p": decoding.typical_p,
}
MOST_NEW = 250  # tokens, where the context has room for them
REPETITION = ("repetition_penalty", "no_repeat_ngram")  # for every strategy but one
SEARCHES = ("beam", "contrastive")


def generate_text(
    prompt: str, *, model=None, strategy: str = "top_p", seed: int = 0, **options
) -> str:
    """Continue a text; return it, the prompt included.

    Args:
        prompt: how it begins; the end-of-text token is put in front of it, as between
            the documents that GPT-2 was trained on.
        model: a name for ``load_model``, or a pair (model, tokenizer).
        strategy: greedy, sample, top_k, top_p, min_p, typical, beam or contrastive.
        seed: of the draws; the searches and greedy draw nothing.
        options: ``max_new_tokens`` (250, or what fits), and what the strategy takes,
            see ``DEFAULTS``; ``repetition_penalty`` and ``no_repeat_ngram`` go with
            all but contrastive, ``stop`` (a string) with all but the two searches.
            None leaves an option as it is by default.

    Raises:
        ValueError: for a strategy or a value that makes no sense.
        TypeError: for an option that the strategy does not take.
    """
    if strategy not in SEARCHES:
        pieces = stream_text(
            prompt, model=model, strategy=strategy, seed=seed, **options
        )
        return prompt + "".join(pieces)
    options = strategy_options(strategy, options)
    model, tokenizer = engine(model)
    ids, new = _prompt_ids(model, tokenizer, prompt, options)
    end = {"max_new_tokens": new, "eos_token_id": tokenizer.eos_token_id}
    if strategy == "contrastive":
        found = decoding.contrastive_search(model, ids, **options, **end)[0]
    else:
        rules = _rules(options)
        options = {name: options[name] for name in options if name not in RULES}
        found = decoding.beam_search(model, ids, rules=rules, **options, **end)[0].ids
    shown = len(tokenizer.decode(ids[0], skip_special_tokens=True))
    return prompt + tokenizer.decode(found, skip_special_tokens=True)[shown:]


def stream_text(
    prompt: str, *, model=None, strategy: str = "top_p", seed: int = 0, **options
) -> Iterator[str]:
    """Yield the continuation of a text piece by piece, as ``generate_text`` makes it.

    A piece ends where no character is cut: several tokens may make one emoji.

    Raises:
        ValueError: as ``generate_text``, and for a search, whose choice comes last.
        TypeError: as ``generate_text``.
    """
    options = strategy_options(strategy, options)
    if strategy in SEARCHES:
        raise ValueError(f"strategy {strategy!r} cannot stream: its choice comes last")
    model, tokenizer = engine(model)
    input_ids, new = _prompt_ids(model, tokenizer, prompt, options)
    stop = options.pop("stop", None)
    steps = decoding.stream(
        model,
        input_ids,
        rules=_rules(options),
        pick=decoding.greedy if strategy == "greedy" else decoding.sample(seed),
        max_new_tokens=new,
        eos_token_id=tokenizer.eos_token_id,
        stop=[] if stop is None else [decoding.stop_string(tokenizer, stop)],
    )
    return _pieces(steps, tokenizer, input_ids[0].tolist(), stop)


def _pieces(steps, tokenizer, ids: list[int], stop: str | None) -> Iterator[str]:
    """Yield what each step adds to the text of ``ids``, up to the string to stop at."""
    text = tokenizer.decode(ids, skip_special_tokens=True)
    shown = len(text)
    first = max(0, shown - len(stop or "") + 1)  # where that string may begin
    for step in steps:
        ids.append(step.token)
        text = tokenizer.decode(ids, skip_special_tokens=True)
        if stop is not None and (place := text.find(stop, first)) >= 0:
            text = text[: place + len(stop)]
        if len(text) > shown and not text.endswith("\ufffd"):  # half a character
            yield text[shown:]
            shown = len(text)


def engine(model=None):
    """Return (model, tokenizer) for a name, None or such a pair.

    A model that is loaded by name is the course's engine, where that knows its kind.
    """
    if isinstance(model, tuple):
        return model
    if model is not None and not isinstance(model, (str, os.PathLike)):
        kind = type(model).__name__
        wanted = "expected model as a name or (model, tokenizer)"
        raise TypeError(f"{wanted}, got {kind}")
    return _load(str(model or os.environ.get("COURSE_MODEL") or "pocket"))


@lru_cache(maxsize=2)
def _load(name: str):
    model, tokenizer = load_model(name)
    try:
        return pack(GPT2.from_hf(model)), tokenizer
    except ValueError:  # options that the engine does not have
        return model, tokenizer


def strategy_options(strategy: str, options: dict) -> dict:
    """Return the options with the strategy's defaults filled in.

    Raises:
        ValueError: for an unknown strategy.
        TypeError: for an option that it does not take.
    """
    if strategy not in DEFAULTS:
        known = ", ".join(DEFAULTS)
        raise ValueError(f"strategy {strategy!r} is unknown: expected one of {known}")
    known = ["max_new_tokens", *DEFAULTS[strategy]]
    if strategy != "contrastive":
        known += REPETITION
    if strategy not in SEARCHES:
        known.append("stop")
    if wrong := [name for name in options if name not in known]:
        takes = f"takes {', '.join(known)}; not {', '.join(wrong)}"
        raise TypeError(f"strategy {strategy!r} {takes}")
    given = {name: value for name, value in options.items() if value is not None}
    return DEFAULTS[strategy] | given


def _rules(options: dict) -> list[decoding.Rule]:
    return [rule(options[name]) for name, rule in RULES.items() if name in options]


def _prompt_ids(model, tokenizer, prompt: str, options: dict):
    """Return the prompt's ids (1, seq) and how many new tokens there may be."""
    if not isinstance(prompt, str):
        kind = type(prompt).__name__
        raise TypeError(f"expected prompt as a string, got {kind}")
    ids = [tokenizer.eos_token_id, *tokenizer(prompt)["input_ids"]]
    new = options.pop("max_new_tokens", None)
    if new is None:
        new = max(1, min(MOST_NEW, context_length(model) - len(ids)))
    return torch.tensor([ids], device=model.device), new
