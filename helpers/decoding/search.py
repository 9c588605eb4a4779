"""Searching: texts chosen as wholes, the best of many beginnings kept at each step."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from helpers.decoding.choice import ended
from helpers.decoding.reader import Reader
from helpers.decoding.rules import FORBIDDEN, apply
from helpers.inputs import between, check_choice, check_prompt, expect, whole


class Hypothesis(NamedTuple):
    """A text that a search found."""

    ids: torch.Tensor  # (seq,), the prompt included
    score: float  # log-probability of the new tokens / their number ** length_penalty


class Beams(NamedTuple):
    """Beginnings of a text, best first."""

    ids: torch.Tensor  # (beam, seq), the prompt included
    totals: torch.Tensor  # (beam,), log-probabilities of the new tokens, added up
    origins: torch.Tensor  # (beam,), which beam of the step before each continues
    length: int  # new tokens


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
        num_beams: beginnings kept at each step, at most half the vocabulary.
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

    Raises ValueError and TypeError as ``generate``, and for more than one row.
    Source: the choices where texts end are those of transformers' ``generate``.
    """
    options = dict(max_new_tokens=max_new_tokens, eos_token_id=eos_token_id)
    check_prompt(model, input_ids, one=True, rules=rules, **options)
    options |= dict(num_beams=num_beams, early_stopping=early_stopping, rules=rules)
    search = _BeamSearch(length_penalty=length_penalty, **options)
    search.check(model.config.vocab_size, num_return_sequences)
    texts = search.run(model, input_ids)
    # Copies can be trained on; what was made in inference mode cannot.
    return [h._replace(ids=h.ids.clone()) for h in texts[:num_return_sequences]]


@dataclass(kw_only=True)
class _BeamSearch:
    """The beams grow, those that end retire, until the others are hopeless."""

    num_beams: int
    max_new_tokens: int
    length_penalty: float
    eos_token_id: int | None
    early_stopping: bool | str
    rules: list

    @torch.inference_mode()
    def run(self, model, input_ids: torch.Tensor) -> list[Hypothesis]:
        """Return the best hypotheses that ended, best first."""
        reader = Reader(model, 1, input_ids.shape[1] + self.max_new_tokens)
        unread = input_ids.long().clone()  # (1, seq); rules may write into it
        beams = Beams(unread, torch.zeros(1, device=unread.device), None, length=0)
        finished = []
        for _ in range(self.max_new_tokens):
            grown = self.grow(beams, reader.read(unread).log_softmax(dim=-1))
            if finished and grown.totals[0] == FORBIDDEN:  # the rules let none go on
                break
            check_choice(grown.totals[None])
            beams, retired = self.retire(grown)
            finished = sorted(finished + retired, key=lambda text: -text.score)
            finished = finished[: self.num_beams]
            if self.hopeless(beams, finished):
                break
            reader.select(beams.origins)
            unread = beams.ids[:, -1:]  # (beam, 1)
        return finished

    def grow(self, beams: Beams, log_probs: torch.Tensor) -> Beams:
        """Return the best of all beams' continuations by a token, twice num_beams."""
        # Twice, since at most half of them end here: each beam in one way.
        totals = apply(self.rules, beams.ids, log_probs) + beams.totals[:, None]
        best, places = totals.flatten().topk(2 * self.num_beams)  # of beam * vocab
        vocab = log_probs.shape[1]
        origins, tokens = places // vocab, places % vocab  # (2 * num_beams,) both
        ids = torch.cat([beams.ids[origins], tokens[:, None]], dim=1)
        return Beams(ids, best, origins, beams.length + 1)

    def retire(self, grown: Beams) -> tuple[Beams, list[Hypothesis]]:
        """Return the beams that go on, and the hypotheses that end here."""
        last = grown.length == self.max_new_tokens
        ends = torch.full_like(grown.totals, last, dtype=torch.bool)
        ends = ended(ends, grown.ids, eos_token_id=self.eos_token_id)
        # An end behind the best num_beams counts no more than another token there.
        ending = (ends & (grown.totals > FORBIDDEN))[: self.num_beams].nonzero()
        scores = [(i, self.score(grown.totals[i], grown.length)) for i in ending[:, 0]]
        on = (~ends).nonzero().flatten()[: self.num_beams]  # (num_beams,), or none
        beams = Beams(grown.ids[on], grown.totals[on], grown.origins[on], grown.length)
        return beams, [Hypothesis(grown.ids[i], score) for i, score in scores]

    def hopeless(self, beams: Beams, finished: list[Hypothesis]) -> bool:
        """Whether no running beam can come among those that have ended."""
        if not len(beams.ids) or len(finished) < self.num_beams:
            return not len(beams.ids)
        # A total only falls, but its score may rise where longer texts are favoured.
        patient = self.early_stopping == "never" and self.length_penalty > 0
        length = self.max_new_tokens if patient else beams.length
        reach = self.score(beams.totals[0], length)
        return self.early_stopping is True or reach <= finished[-1].score

    def score(self, total: torch.Tensor, length: int) -> float:
        """Return a total by its length."""
        return total.item() / length**self.length_penalty

    def check(self, vocab: int, returned: int) -> None:
        """Raise ValueError for numbers out of range."""
        most = vocab // 2  # each step takes twice as many continuations
        wanted = f"a whole number, 1 to {most}, half of the vocabulary"
        expect("num_beams", self.num_beams, whole(most), wanted)
        wanted = f"a whole number, 1 to the {self.num_beams} beams"
        expect("num_return_sequences", returned, whole(self.num_beams), wanted)
        wanted = "a number from -10 to 10; 0 compares sums, 1 means"
        expect("length_penalty", self.length_penalty, between(-10, 10), wanted)
        early, wanted = self.early_stopping, 'expected True, False or "never"'
        if not isinstance(early, bool) and early != "never":
            raise ValueError(f"early_stopping is {early!r}, {wanted}")
