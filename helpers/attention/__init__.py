"""Attention: all that looks inside a GPT-2, under one name.

A *head* is ``(layer, head)``, both counted from 0. Its weights are a square: row q
holds the shares of its attention that position q gives to the positions 0 to q.

Read in this order: ``weights``, ``heads``, ``hooks``, ``ablation``, ``patching``,
``lens``. Behind them: ``costs`` (texts scored, what silencing a head costs),
``effects`` (lines cut), ``views`` and ``pages`` (bertviz's pictures without internet).
"""

from helpers.attention.ablation import ablate, gathered
from helpers.attention.costs import read, recall_texts, story_texts
from helpers.attention.effects import line_effects
from helpers.attention.heads import head_scores, repeated_ids
from helpers.attention.lens import logit_lens
from helpers.attention.patching import patch
from helpers.attention.views import show_heads, show_model, show_neurons
from helpers.attention.weights import attention_weights, attentions, projections
