"""Choice: how one token is picked from the next logits, and when a text has ended.

A picker is a function ``next_logits (batch, vocab) -> ids (batch,)``. A criterion is a
function ``(input_ids, next_logits) -> (batch,) bool`` that is asked after every token,
with ``input_ids`` (batch, seq) up to that token: as a ``StoppingCriteria`` of
transformers, so ours work there, and the library's in ``helpers.decoding``.
"""

from collections.abc import Callable
from os.path import commonprefix

import torch

from helpers.inputs import INTEGERS, check_choice, check_logits, check_within

Picker = Callable[[torch.Tensor], torch.Tensor]
Stop = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def greedy(next_logits: torch.Tensor) -> torch.Tensor:
    """Pick the likeliest token of each row: (batch, vocab) to (batch,)."""
    check_logits(next_logits)
    return next_logits.argmax(dim=-1)


def sample(generator: torch.Generator | int) -> Picker:
    """Return a picker that draws from the distribution; an int is a new seed.

    The picker goes on in its sequence of random numbers from call to call, so the
    same seed gives the same ids only for the same calls in the same order. Raises
    TypeError for anything else, such as the logits themselves.
    """
    known = isinstance(generator, (int, torch.Generator))
    if not known or isinstance(generator, bool):
        wanted = "a seed, as sample(0), or a Generator"
        raise TypeError(f"sample takes {wanted}: not {type(generator).__name__}")

    def pick(next_logits: torch.Tensor) -> torch.Tensor:
        nonlocal generator
        check_choice(next_logits)
        if isinstance(generator, int):
            generator = torch.Generator(next_logits.device).manual_seed(generator)
        probs = next_logits.softmax(dim=-1).to(generator.device)  # (batch, vocab)
        # The interval from 0 to 1 is cut into pieces as long as the probabilities, and
        # a number drawn from it says which. torch.multinomial would draw a number for
        # every token of the vocabulary, which takes ten times as long.
        exact = torch.float32 if probs.device.type == "mps" else torch.float64
        ends = probs.cumsum(dim=-1, dtype=exact)  # (batch, vocab)
        kind = {"dtype": exact, "device": ends.device}
        place = torch.rand(len(ends), 1, generator=generator, **kind)  # (batch, 1)
        place *= ends[:, -1:]  # 1 but for rounding; behind it lies no token's piece
        ids = torch.searchsorted(ends, place, right=True).squeeze(-1)  # (batch,)
        return ids.to(next_logits.device)

    return pick


def stop_string(tokenizer, text: str) -> Stop:
    """Return a criterion that is met when the last token completes ``text``.

    The text may begin anywhere, in the prompt too, and the token may go on beyond it.
    Raises ValueError for "".
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"the string to stop at is {text!r}, expected some characters")
    enough = len(text.encode(errors="replace"))  # tokens: none is shorter than a byte

    def met(input_ids: torch.Tensor, next_logits=None, **unused) -> torch.Tensor:
        before = tokenizer.batch_decode(input_ids[:, -enough:-1])
        until = tokenizer.batch_decode(input_ids[:, -enough:])
        complete = [_completes(*pair, text) for pair in zip(before, until, strict=True)]
        return torch.tensor(complete, device=input_ids.device)  # (batch,)

    return met


def _completes(before: str, until: str, text: str) -> bool:
    """Whether ``text`` ends in that part of ``until`` that is new since ``before``."""
    same = len(commonprefix([before, until]))  # less than all after half a character
    return until.find(text, max(0, same - len(text) + 1)) >= 0


def choose(pick: Picker, next_logits: torch.Tensor) -> torch.Tensor:
    """Return the ids (batch,) that a picker chooses; raise TypeError for no ids."""
    check_choice(next_logits)
    ids, (batch, vocab) = pick(next_logits), next_logits.shape
    check_returned("pick", ids, (batch,), INTEGERS, "ids")
    check_within("pick returned", ids, "the vocabulary", vocab)
    return ids


def ended(done, input_ids, next_logits=None, *, eos_token_id, stop=()) -> torch.Tensor:
    """Return which rows were done before, or end with their last token: (batch,)."""
    if eos_token_id is not None:
        done = done | (input_ids[:, -1] == eos_token_id)  # (batch,)
    for criterion in stop:
        met = criterion(input_ids, next_logits)
        check_returned("stop", met, done.shape, (torch.bool,), "truths")
        done = done | met
    return done


def check_returned(who: str, given, shape, dtypes, wanted: str) -> None:
    """Raise TypeError for what a caller's function should not return."""
    kind = getattr(given, "dtype", type(given).__name__)
    size, shape = tuple(getattr(given, "shape", ())), tuple(shape)
    if kind not in dtypes or size != shape:
        raise TypeError(f"{who} returned {kind} {size}, not {wanted} {shape}")
