"""Attention: all that looks inside a GPT-2, under one name.

A *head* is ``(layer, head)``, both counted from 0. Its weights are a square: row q
holds the shares of its attention that position q gives to the positions 0 to q. Each
part has a file of its own: patterns, heads, ablation, patching, lens,
views.
"""

from helpers.ablation import ablate
from helpers.heads import HeadScores, head_scores, repeated_ids
from helpers.hooks import Head
from helpers.lens import logit_lens
from helpers.pages import View
from helpers.patching import cut, patch
from helpers.patterns import Attention, attention_weights, attentions, projections
from helpers.views import show_heads, show_model, show_neurons

__all__ = [
    "Attention",
    "Head",
    "HeadScores",
    "View",
    "ablate",
    "attention_weights",
    "attentions",
    "cut",
    "head_scores",
    "logit_lens",
    "patch",
    "projections",
    "repeated_ids",
    "show_heads",
    "show_model",
    "show_neurons",
]
