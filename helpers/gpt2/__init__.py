"""GPT-2 from scratch: the engine that the course generates, scores and trains with.

Read in this order: ``model`` (the whole architecture), ``cache`` (what it keeps of
the tokens it has read), ``counting`` (its parameters and its work). Behind it: ``fast``
(the same numbers sooner) and ``timing`` (what a token costs),
``precision`` (bfloat16 where it is fast).
"""

from helpers.gpt2.cache import Cache
from helpers.gpt2.counting import flops, parameters
from helpers.gpt2.fast import FastCache, pack, quantize, replace_matrices
from helpers.gpt2.model import GPT2, check_config, position_ids
from helpers.gpt2.precision import choose_precision, instructions
from helpers.gpt2.timing import token_costs
