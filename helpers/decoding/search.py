"""Searching: texts that are chosen as wholes, or against repeating themselves.

Beam search keeps the ``num_beams`` best beginnings at every step; contrastive search
keeps one and marks down tokens that would bring nothing new.
"""

import math
from typing import NamedTuple

import torch

from helpers.decoding.reader import Reader
from helpers.decoding.rules import apply
from helpers.inputs import (
    check_choice,
    check_end,
    check_functions,
    check_prompt,
    expect,
    whole,
)


class Hypothesis(NamedTuple):
    """A text that a search found."""

    ids: torch.Tensor  # (seq,), the prompt included
    score: float  # log-probability of the new tokens / their number ** length_penalty


class Finished:
    """The best hypotheses that have ended: at most ``size``, best first."""

    def __init__(self, size: int):
        self.size, self.kept = size, []

    def add(self, ids: torch.Tensor, score: float) -> None:
        """Keep a hypothesis if it is among the best."""
        self.kept.append(Hypothesis(ids, score))
        self.kept = sorted(self.kept, key=lambda h: -h.score)[: self.size]

    @property
    def full(self) -> bool:
        """Whether as many have ended as may be kept."""
        return len(self.kept) == self.size

    def improves(self, score: float) -> bool:
        """Whether a hypothesis of this score would be kept."""
        return not self.full or score > self.kept[-1].score


def beam_search(
    model,
    input_ids: torch.Tensor,
    *,
    num_beams: int,
    max_new_tokens: int,
    length_penalty: float = 1.0,
    num_return_sequences: int = 1,
    eos_token_id: int | None = None,
    early_stopping: bool | str = False,
    rules=(),
) -> list[Hypothesis]:
    """Return the best texts that a search with ``num_beams`` beams finds, best first.

    Args:
        model: the engine, or a causal language model of transformers.
        input_ids: (1, seq), the prompt.
        num_beams: beginnings kept at each step.
        max_new_tokens: at most so many.
        length_penalty: the score is divided by the number of new tokens to this power.
            Log-probabilities are negative: above 0 favours longer texts.
        num_return_sequences: how many, at most ``num_beams``. Fewer come back only
            where the rules leave too few continuations.
        eos_token_id: ends a hypothesis and counts as one of its tokens.
        early_stopping: True ends the search with ``num_beams`` ended hypotheses; False
            when the best running one, scored as if it ended now, would not be kept;
            "never" only when no running one can be kept at any length.
        rules: change the log-probabilities, in this order; each hypothesis has a row.

    Raises:
        ValueError: as ``generate``, for several rows, and for numbers out of range;
            ``num_beams`` is at most half the vocabulary, since the first step must
            have two continuations for each.
        TypeError: for what is no rule.

    Source: the choices where texts end are those of transformers' ``generate``.
    """
    _check_search(model, input_ids, max_new_tokens, eos_token_id)
    _check_beams(model, num_beams, num_return_sequences, early_stopping)
    wanted = "a finite number; 0 compares sums, 1 means"
    expect("length_penalty", length_penalty, math.isfinite, wanted)
    check_functions("rules", rules)
    lengths = (max_new_tokens, length_penalty, eos_token_id, early_stopping)
    found = _beam_search(model, input_ids.long(), num_beams, rules, *lengths)
    # Copies can be trained on; what was made in inference mode cannot.
    return [h._replace(ids=h.ids.clone()) for h in found[:num_return_sequences]]


@torch.inference_mode()
def _beam_search(
    model, ids, num_beams, rules, max_new_tokens, length_penalty, eos, early_stopping
) -> list[Hypothesis]:
    """Return the hypotheses that ended and were kept, best first."""
    reader = Reader(model, 1, ids.shape[1] + max_new_tokens)
    beams = unread = ids
    scores, ended = torch.zeros(1, device=beams.device), Finished(num_beams)
    for new in range(1, max_new_tokens + 1):
        log_probs = reader.read(unread).log_softmax(dim=-1)  # (beam, vocab)
        total = apply(rules, beams, log_probs) + scores[:, None]
        if ended.kept and total.amax() == -math.inf:  # the rules let none go on
            break
        check_choice(total.view(1, -1))
        # Twice as many as needed: at most half of them end here.
        best, places = total.flatten().topk(2 * num_beams)
        origins, tokens = places // total.shape[1], places % total.shape[1]
        stops = tokens == eos if eos is not None else tokens < 0
        if new == max_new_tokens:
            stops = torch.ones_like(stops)
        for i in stops[:num_beams].nonzero().flatten().tolist():
            ids = torch.cat([beams[origins[i]], tokens[i, None]])
            if best[i] > -math.inf:
                ended.add(ids, (best[i] / new**length_penalty).item())
        goes_on = (~stops).nonzero().flatten()[:num_beams]
        if not len(goes_on) or (early_stopping is True and ended.full):
            break
        origins, tokens, scores = origins[goes_on], tokens[goes_on], best[goes_on]
        longest = max_new_tokens if early_stopping == "never" else new
        length = longest if length_penalty > 0 else new
        if not ended.improves((scores[0] / length**length_penalty).item()):
            break
        beams = torch.cat([beams[origins], tokens[:, None]], dim=1)
        reader.select(origins)
        unread = tokens[:, None]
    return ended.kept


def contrastive_search(
    model,
    input_ids: torch.Tensor,
    *,
    k: int,
    alpha: float,
    max_new_tokens: int,
    eos_token_id: int | None = None,
) -> torch.Tensor:
    """Continue one text with likely tokens that bring something new; return its ids.

    Of the ``k`` likeliest tokens, each step takes the one with the largest
    (1 - alpha) * probability - alpha * similarity, where similarity is the largest
    cosine between the token's hidden state and those of all tokens before it.

    Args:
        model: the engine, or a causal language model of transformers.
        input_ids: (1, seq), the prompt.
        k: candidates.
        alpha: weight of the similarity, 0 to 1; 0 is greedy.
        max_new_tokens: at most so many.
        eos_token_id: ends the text.

    Raises:
        ValueError: as ``generate``, for several rows, and for numbers out of range.

    Source: Su et al. 2022.
    """
    _check_search(model, input_ids, max_new_tokens, eos_token_id)
    vocab = model.config.vocab_size
    wanted = f"a whole number of candidates, 1 to {vocab}"
    expect("k", k, whole(vocab), wanted)
    expect("alpha", alpha, lambda alpha: 0 <= alpha <= 1, "a weight from 0 to 1")
    ids = input_ids.long()
    return _contrastive_search(
        model, ids, k, alpha, max_new_tokens, eos_token_id
    ).clone()


@torch.inference_mode()
def _contrastive_search(model, ids, k, alpha, max_new_tokens, eos_token_id):
    reader = Reader(model, 1, ids.shape[1] + max_new_tokens)
    logits, states = reader.read_states(ids)  # (1, vocab), (1, seq, d_model)
    known = torch.nn.functional.normalize(states[0].float(), dim=-1)
    every = torch.zeros(k, dtype=torch.long, device=ids.device)
    reader.select(every)  # the same text, k times
    for _ in range(max_new_tokens):
        check_choice(logits)
        probs, tokens = logits[0].softmax(dim=-1).topk(k)  # (k,) both
        logits, states = reader.read_states(tokens[:, None])
        states = torch.nn.functional.normalize(states[:, 0].float(), dim=-1)
        similar = (states @ known.T).amax(dim=-1)  # (k,)
        best = ((1 - alpha) * probs - alpha * similar).argmax()
        ids = torch.cat([ids, tokens[best].view(1, 1)], dim=1)
        known = torch.cat([known, states[best, None]])
        if tokens[best] == eos_token_id:
            break
        reader.select(best.expand(k))
        logits = logits[best, None]
    return ids


def _check_search(model, input_ids, max_new_tokens, eos_token_id) -> None:
    check_prompt(model, input_ids, None, max_new_tokens)
    check_end(model, eos_token_id)
    if len(input_ids) != 1:
        raise ValueError(f"expected one text to search from, got {len(input_ids)} rows")


def _check_beams(model, num_beams, returned, early_stopping) -> None:
    most = model.config.vocab_size // 2
    wanted = f"a whole number, 1 to {most}, half of the vocabulary"
    expect("num_beams", num_beams, whole(most), wanted)
    wanted = f"a whole number, 1 to the {num_beams} beams"
    expect("num_return_sequences", returned, whole(num_beams), wanted)
    if not isinstance(early_stopping, bool) and early_stopping != "never":
        wanted = 'expected True, False or "never"'
        raise ValueError(f"early_stopping is {early_stopping!r}, {wanted}")
