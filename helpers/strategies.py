"""Strategies by name: what a beginner calls to let a GPT-2 write.

    generate_text("Once upon a time", strategy="top_p", top_p=0.9, seed=1)

A strategy is a set of rules with a picker, or a search; ``helpers.decoding`` has the
parts.
"""

from collections.abc import Iterator
from functools import lru_cache

import torch

from helpers import decoding
from helpers.gpt2 import GPT2
from helpers.models import load_model
from helpers.reading import context_length

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
        options: ``max_new_tokens`` (250, or what fits), ``stop`` (a string), and what
            the strategy takes, see ``DEFAULTS``; ``repetition_penalty`` and
            ``no_repeat_ngram`` go with all but contrastive.

    Raises:
        ValueError: for a strategy or a value that makes no sense.
        TypeError: for an option that the strategy does not take.
    """
    options = strategy_options(strategy, options)
    if strategy not in SEARCHES:
        pieces = stream_text(
            prompt, model=model, strategy=strategy, seed=seed, **options
        )
        return prompt + "".join(pieces)
    model, tokenizer = engine(model)
    input_ids, new = _prompt_ids(model, tokenizer, prompt, options)
    if options.pop("stop", None) is not None:
        raise TypeError(f"strategy {strategy!r} cannot stop at a string: leave it out")
    end = {"max_new_tokens": new, "eos_token_id": tokenizer.eos_token_id}
    if strategy == "contrastive":
        ids = decoding.contrastive_search(model, input_ids, **options, **end)[0]
    else:
        rules = _rules(options)
        options = {k: v for k, v in options.items() if k not in RULES}
        found = decoding.beam_search(model, input_ids, rules=rules, **options, **end)
        ids = found[0].ids
    return tokenizer.decode(ids, skip_special_tokens=True)


def stream_text(
    prompt: str, *, model=None, strategy: str = "top_p", seed: int = 0, **options
) -> Iterator[str]:
    """Yield the continuation of a text piece by piece, as ``generate_text`` makes it.

    A piece ends where no character is cut: several tokens may make one emoji.
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
        stop=[decoding.stop_string(tokenizer, stop)] if stop is not None else (),
    )
    ids = input_ids[0].tolist()
    shown = prompt_end = len(tokenizer.decode(ids, skip_special_tokens=True))
    for step in steps:
        ids.append(step.token)
        text = tokenizer.decode(ids, skip_special_tokens=True)
        if stop is not None and (place := text.find(stop, prompt_end)) >= 0:
            text = text[: place + len(stop)]
        if not text.endswith("\ufffd"):  # half a character
            yield text[shown:]
            shown = len(text)


@lru_cache(maxsize=2)
def _load(name: str | None):
    model, tokenizer = load_model(name)
    return GPT2.from_hf(model), tokenizer


def engine(model):
    """Return (model, tokenizer) for a name, None or such a pair."""
    return model if isinstance(model, tuple) else _load(model)


def strategy_options(strategy: str, options: dict) -> dict:
    """Return the options with the strategy's defaults filled in.

    Raises:
        ValueError: for an unknown strategy.
        TypeError: for an option that it does not take.
    """
    if strategy not in DEFAULTS:
        known = ", ".join(DEFAULTS)
        raise ValueError(f"strategy {strategy!r} is unknown: expected one of {known}")
    known = {"max_new_tokens", "stop", *DEFAULTS[strategy]}
    if strategy != "contrastive":
        known |= set(REPETITION)
    if wrong := sorted(options.keys() - known):
        takes = ", ".join(sorted(known))
        raise TypeError(f"strategy {strategy!r} takes {takes}; not {', '.join(wrong)}")
    return DEFAULTS[strategy] | options


def _rules(options: dict) -> list[decoding.Rule]:
    return [rule(options[name]) for name, rule in RULES.items() if name in options]


def _prompt_ids(model, tokenizer, prompt: str, options: dict):
    """Return the prompt's ids (1, seq) and how many new tokens there may be."""
    ids = [tokenizer.eos_token_id, *tokenizer(prompt)["input_ids"]]
    left = context_length(model) - len(ids)
    new = options.pop("max_new_tokens", None)
    new = max(1, min(250, left)) if new is None else new
    return torch.tensor([ids], device=model.device), new
