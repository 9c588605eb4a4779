"""Strategies by name: what a beginner calls to let a GPT-2 write.

    generate_text("Once upon a time", strategy="top_p", top_p=0.9, seed=1)

A strategy is rules with a picker, or a search; ``helpers.options`` has their options.
"""

import os
from collections.abc import Iterator
from functools import lru_cache

from helpers import decoding
from helpers.gpt2 import GPT2, pack
from helpers.inputs import context_length
from helpers.models import load_model
from helpers.options import SEARCHES, STRATEGIES, complaint, taken
from helpers.tokens import document_ids

RULES = ("repetition_penalty", "no_repeat_ngram", "temperature")  # the library's order
RULES += ("top_k", "top_p", "min_p", "typical_p")


def generate_text(
    prompt: str, *, model=None, strategy: str = "top_p", seed: int = 0, **options
) -> str:
    """Continue a text; return it, the prompt included.

    Args:
        prompt: how it begins; the end-of-text token is put in front of it.
        model: a name for ``load_model``, or a pair (model, tokenizer).
        strategy: greedy, sample, top_k, top_p, min_p, typical, beam or contrastive.
        seed: of the draws; the searches and greedy draw nothing.
        options: what the strategy takes, see ``helpers.options``; None is the default.

    Raises ValueError for a strategy or a value that makes no sense, TypeError for an
    option that the strategy does not take.
    """
    if strategy not in SEARCHES:
        choice = {"model": model, "strategy": strategy, "seed": seed}
        return prompt + "".join(stream_text(prompt, **choice, **options))
    model, tokenizer, input_ids, options = _prepare(prompt, model, strategy, options)
    if strategy == "contrastive":
        ids = decoding.contrastive_search(model, input_ids, **options)[0]
    else:
        rules = _take_rules(options)
        ids = decoding.beam_search(model, input_ids, rules=rules, **options)[0].ids
    shown = len(tokenizer.decode(input_ids[0], skip_special_tokens=True))
    return prompt + tokenizer.decode(ids, skip_special_tokens=True)[shown:]


def stream_text(
    prompt: str, *, model=None, strategy: str = "top_p", seed: int = 0, **options
) -> Iterator[str]:
    """Yield the continuation of a text piece by piece, as ``generate_text`` makes it.

    A piece ends where no character is cut: several tokens may make one emoji.
    Raises as ``generate_text``, and ValueError for a search.
    """
    if strategy in SEARCHES:
        raise ValueError(f"strategy {strategy!r} cannot stream: its choice comes last")
    model, tokenizer, input_ids, options = _prepare(prompt, model, strategy, options)
    stop = options.pop("stop", None)
    steps = decoding.stream(
        model,
        input_ids,
        rules=_take_rules(options),
        pick=decoding.greedy if strategy == "greedy" else decoding.sample(seed),
        stop=[] if stop is None else [decoding.stop_string(tokenizer, stop)],
        **options,
    )
    return _pieces(steps, tokenizer, input_ids[0].tolist(), stop)


def engine(model=None):
    """Return (model, tokenizer), for a name the course's engine where it can be."""
    if model is None or isinstance(model, (str, os.PathLike)):
        return _load(str(model or os.environ.get("COURSE_MODEL") or "pocket"))
    if isinstance(model, tuple) and len(model) == 2 and hasattr(model[0], "config"):
        return model
    raise TypeError(f"expected a model's name or (model, tokenizer), not {type(model)}")


@lru_cache(maxsize=2)
def _load(name: str):
    model, tokenizer = load_model(name)
    try:
        return pack(GPT2.from_hf(model)), tokenizer
    except ValueError:  # options that the engine does not have
        return model, tokenizer


def _prepare(prompt: str, model, strategy: str, options: dict):
    """Return model, tokenizer, the prompt's ids (1, seq) and all options, checked."""
    if strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise ValueError(f"strategy {strategy!r} is unknown: expected one of {known}")
    if not isinstance(prompt, str):
        raise TypeError(f"expected prompt as a string, got {type(prompt).__name__}")
    for name, value in options.items():
        if name not in taken(strategy):
            takes = ", ".join(taken(strategy))
            raise TypeError(f"strategy {strategy!r} takes {takes}; not {name}")
        if wrong := complaint(name, value):
            raise ValueError(f"{name} {wrong}")
    model, tokenizer = engine(model)
    ids = document_ids(tokenizer, prompt).to(model.device)  # (1, seq)
    new = max(1, min(250, context_length(model) - ids.shape[1]))  # or what fits
    defaults = {"max_new_tokens": new, "eos_token_id": tokenizer.eos_token_id}
    given = {name: value for name, value in options.items() if value is not None}
    return model, tokenizer, ids, defaults | STRATEGIES[strategy] | given


def _take_rules(options: dict) -> list[decoding.Rule]:
    """Take out of the options those that are rules."""
    names = [name for name in RULES if name in options]
    return [getattr(decoding, name)(options.pop(name)) for name in names]


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
