"""Corpora: documents to train on and to measure on, one call for each.

Read ``corpus`` (splits, duplicates), then ``blocks`` (documents as rows of ids).
Behind them: ``sources`` (the worlds, the hub, files of one's own).
"""

from helpers.corpora.blocks import packed
from helpers.corpora.corpus import SPLITS, Corpus, load_corpus
from helpers.corpora.sources import HUB, WORLDS, CorpusError

__all__ = ["HUB", "SPLITS", "WORLDS", "Corpus", "CorpusError", "load_corpus", "packed"]
