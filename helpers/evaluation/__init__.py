"""Evaluation: what a model expects, and how good it and its texts are.

Read in this order: ``prediction`` (probabilities of tokens, words and texts),
``losses`` (a model beside the entropy floor). Behind them: ``perplexity`` (of any
corpus, in sliding windows), ``samples`` (texts that a model writes), ``truth`` (the
world's distribution beside the model's), ``diversity``, ``metrics`` (rhyme, metre,
syntax, passing), ``frontier`` (quality against diversity), ``widths`` (of beams).
"""

from helpers.evaluation import frontier, widths
from helpers.evaluation.diversity import distinct_n, repetition_rate, self_bleu
from helpers.evaluation.losses import Gap, document_losses, gap_to_floor
from helpers.evaluation.metrics import (
    beats,
    metre_rate,
    pass_at_k,
    rhyme_rate,
    rhymes,
    scans,
    syntax_rate,
)
from helpers.evaluation.perplexity import (
    PerplexityResult,
    corpus_perplexity,
    perplexity,
    running_perplexity,
)
from helpers.evaluation.prediction import next_word_probs, sequence_log_probs
from helpers.evaluation.samples import sample_texts
from helpers.evaluation.truth import Beside, beside_truth, survival, true_next
