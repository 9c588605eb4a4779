"""GPT-2 from scratch: the engine that the course generates, scores and trains with.

Read in this order: ``model`` (the whole architecture), ``cache`` (what it keeps of
the tokens it has read), ``counting`` (its parameters and its work).
"""

from helpers.gpt2.cache import Cache
from helpers.gpt2.counting import flops, parameters
from helpers.gpt2.model import (
    GPT2,
    Attention,
    Block,
    FeedForward,
    Projection,
    check_config,
    see,
)
from helpers.gpt2.packing import pack
from helpers.gpt2.quantization import quantize
from helpers.gpt2.timing import token_costs

__all__ = [
    "Attention",
    "Block",
    "Cache",
    "FeedForward",
    "GPT2",
    "Projection",
    "check_config",
    "flops",
    "pack",
    "parameters",
    "quantize",
    "see",
    "token_costs",
]
