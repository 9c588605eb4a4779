"""What a model expects next: probabilities of tokens, of words and of whole texts.

A text here is a document from its beginning: ``<|endoftext|>`` is read first.
A *word* is what GPT-2's tokenizer cuts before BPE (``" Tom"``, ``"."``), see
``helpers.tokens.pretokenise``; it may be several tokens.
"""

from collections.abc import Iterable
from functools import lru_cache

import torch

from helpers.inputs import check_ids
from helpers.tokens import check_text, document_ids, pad
from helpers.tokens import pretokenise as words


@torch.no_grad()
def sequence_log_probs(model, input_ids: torch.Tensor) -> torch.Tensor:
    """Return log P(x_t | x_<t), in nats, of every token but the first.

    Shapes: ``input_ids`` (batch, seq) to (batch, seq - 1). The first token is only
    read, so begin with ``document_ids`` if all of the text is to be scored.
    Raises ValueError for fewer than two tokens, or ids that the model cannot read.
    """
    check_ids(model, input_ids)
    if input_ids.shape[1] < 2:
        shape = tuple(input_ids.shape)
        raise ValueError(f"expected input_ids (batch, at least 2 tokens), got {shape}")
    logits = model(input_ids).logits[:, :-1]  # (batch, seq - 1, vocab)
    next_ids = input_ids[:, 1:, None]  # (batch, seq - 1, 1): row t is scored on t + 1
    return logits.log_softmax(dim=-1).gather(-1, next_ids).squeeze(-1)


@torch.no_grad()
def next_word_probs(
    model, tokenizer, prefix: str, candidates: Iterable[str]
) -> dict[str, float]:
    """Return the model's probability that each candidate is the next whole word.

    A word of several tokens has the product of their probabilities, each given those
    before it. That still counts longer words: after " kite" the token "s" may follow.
    So the product is multiplied by the probability that the next token begins a new
    word, and divided by the same probability for the prefix, whose last word has
    ended. Over all words that there are, these probabilities sum to 1.

    Raises ValueError for a candidate that is not one word, or that would only lengthen
    the last word of the prefix, or a text longer than the model can read.
    """
    candidates = list(candidates)
    prefix_ids = document_ids(tokenizer, prefix).to(model.device)  # (1, seq)
    _check_words(tokenizer, prefix, candidates)
    if not candidates:
        return {}
    tokens = [tokenizer(word)["input_ids"] for word in candidates]
    word_ids = pad(tokens, tokenizer.eos_token_id).to(model.device)  # (words, longest)
    n = len(candidates)
    check_ids(model, torch.cat([prefix_ids.expand(n, -1), word_ids], dim=1))

    # The prefix is the same for all words, so it is read once and then repeated.
    start = model(prefix_ids, use_cache=True)
    start.past_key_values.batch_repeat_interleave(n)
    after = model(word_ids, past_key_values=start.past_key_values).logits.softmax(-1)
    first = start.logits[:, -1:].softmax(dim=-1)  # (1, 1, vocab)
    before = torch.cat([first.expand(n, -1, -1), after[:, :-1]], dim=1)
    steps = before.gather(-1, word_ids[..., None]).squeeze(-1)  # (words, longest)

    begun, probs = _ended(tokenizer, words(prefix)[-1:], first[0, 0]), {}
    for i, (word, row) in enumerate(zip(candidates, tokens, strict=True)):
        ended = _ended(tokenizer, [word], after[i, len(row) - 1])
        probs[word] = (steps[i, : len(row)].prod() * ended / begun).item()
    return probs


def _ended(tokenizer, last: list[str], next_probs: torch.Tensor) -> torch.Tensor:
    """Return the probability that the next token does not lengthen the last word."""
    if not last or last == [tokenizer.eos_token]:
        return next_probs.new_ones(())
    whole = last[0].isspace() or "'" in last[0]  # else its last character decides
    longer = _lengthening(tokenizer, last[0] if whole else last[0][-1])
    return 1 - next_probs[longer.to(next_probs.device)].sum()


@lru_cache(maxsize=256)
def _lengthening(tokenizer, end: str) -> torch.Tensor:
    """Return the ids of the tokens that continue a word which ends like ``end``."""
    longer = [len(words(end + text)[0]) > len(end) for text in _texts(tokenizer)]
    return torch.tensor(longer).nonzero().squeeze(-1)


@lru_cache(maxsize=4)
def _texts(tokenizer) -> list[str]:
    """Return the text of every token, and nothing for the end token."""
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    texts[tokenizer.eos_token_id] = ""
    return texts


def _check_words(tokenizer, prefix: str, candidates: list[str]) -> None:
    before = words(prefix)
    for word in candidates:
        new = words(prefix + check_text(word)) == [*before, word]
        if word != tokenizer.eos_token and not new:
            end = "".join(before[-1:])
            advice = "give a whole word with the space that belongs to it: ' Tom'"
            raise ValueError(f"{word!r} is not one new word after {end!r}: {advice}")
