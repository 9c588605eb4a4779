"""Text generation with GPT-2: the package behind the course's notebooks.

Six folders are the reading path, to be read in this order; each has a front door, its
``__init__.py``, which says in which order to read its files:

tokens        text to ids and back, and tokens made visible
models        load the pocket GPT-2, a GPT-2 from the hub, or a folder
gpt2          GPT-2 from scratch: the engine
decoding      how next-token distributions become a text
evaluation    what a model expects, and how good it is
attention     where a model looks, and what happens if it may not

The second evening:

worlds        made-up worlds whose exact probabilities are known

The classroom, a file per day in each of the first two:

checks        the checks of the exercises
plots         every figure of the course
parity        a model beside the reference: the first operation that differs

The workshop:

pocket        how the pocket GPT-2 was made and measured
cli           ``python -m helpers COMMAND``, a file per command

Beside them: inputs (what callers give, checked), options (of the strategies, and their
ranges), logs (what transformers says only in its log), widgets (explorers to play with
in a notebook). Nothing is imported here: ``from helpers.models import load_model``.
"""
