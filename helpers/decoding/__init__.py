"""Decoding: how next-token distributions become a text.

Each step reads logits, lets the rules change them, and picks a token:

    input_ids -> model -> next_logits (batch, vocab) -> rules -> pick -> ids (batch,)

Read in this order: ``loop`` (generate and stream), ``rules`` (temperature, top-k ...),
``choice`` (how one token is picked), ``search`` (texts chosen as wholes), ``reader``
(a model that reads on), ``strategies`` (all of them by name); ``contrastive`` search
stands behind. A model is the engine of ``helpers.gpt2`` or one of transformers.
"""

from helpers.decoding.choice import Picker, Stop, greedy, sample, stop_string
from helpers.decoding.contrastive import contrastive_search
from helpers.decoding.loop import Step, generate, stream
from helpers.decoding.reader import Reader
from helpers.decoding.rules import (
    Rule,
    apply,
    min_p,
    no_repeat_ngram,
    repetition_penalty,
    temperature,
    top_k,
    top_p,
    typical_p,
)
from helpers.decoding.search import Hypothesis, beam_search
from helpers.decoding.strategies import engine, generate_text, stream_text
