"""GPT-2 as a table of formulas, and a table of the wrong ones that people write.

The right ones are slow and obvious on purpose; that their logits are the library's is
checked each time. Whether a wrong one stands in a learner's model, its numbers tell.

In a formula, ``x`` is the first value that the right one reads, ``w`` and ``b`` are
weight, stored (in, out), and bias of the part in brackets, ``part("name")`` those of
another part, ``stream`` is what comes into a layer, or out of the last, and ``every``
is ones, query by key. The other names are values made before, or numbers.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, partial
from typing import NamedTuple

import torch
from torch.nn import functional as F  # noqa: F401 (formulas use it)

# name = formula | what it is: the embedding, then a layer, then the end.
# Shapes are (batch, seq, d_model), and in heads (batch, head, seq, d_head).
GPT2 = """
token_embedding = w[ids] | token embedding (wte)
position_embedding = w[None, :seq] | position embedding (wpe)
embedded = token_embedding + position_embedding | token and position embedding added

ln_1 = norm(stream, w, b, eps) | layer norm before attention (ln_1)
c_attn = ln_1 @ w + b | query, key and value projected (attn.c_attn)
query = c_attn.chunk(3, -1)[0] | query
key = c_attn.chunk(3, -1)[1] | key
value = c_attn.chunk(3, -1)[2] | value
query_heads = query.unflatten(-1, (heads, -1)).transpose(1, 2) | query split into heads
key_heads = key.unflatten(-1, (heads, -1)).transpose(1, 2) | key split into heads
value_heads = value.unflatten(-1, (heads, -1)).transpose(1, 2) | value split into heads
scores = query_heads @ key_heads.mT | attention scores, query times key
scaled = scores / query_heads.shape[-1] ** 0.5 | attention scores scaled
masked = hide(scaled, every.tril()) | attention scores masked
weights = masked.softmax(dim=-1) | attention weights (softmax)
gathered = weights @ value_heads | values gathered by the weights
merged = gathered.transpose(1, 2).flatten(2) | heads merged
projected = merged @ w + b | attention projected (attn.c_proj)
attended = stream + projected | attention added to the stream
ln_2 = norm(attended, w, b, eps) | layer norm before feed-forward (ln_2)
c_fc = ln_2 @ w + b | feed-forward, up (mlp.c_fc)
gelu = tanh_gelu(c_fc) | feed-forward, GELU
c_proj = gelu @ w + b | feed-forward, down (mlp.c_proj)
added = attended + c_proj | feed-forward added to the stream

ln_f = norm(stream, w, b, eps) | final layer norm (ln_f)
logits = ln_f @ w.T | logits (the head)
"""

# name: advice, then the wrong formulas for it | and what is wrong. Of names with commas
# each may be wrong, or all are; with + they are wrong together (# counts them). Of
# ``layers`` the weights are taken; ``own`` are the right ones.
WRONG = """
token_embedding
    w[ids] * d_model**0.5 | the token embedding is multiplied by sqrt(d_model)
    w.half()[ids].float() | the weights were rounded to float16: load float32
    w.bfloat16()[ids].float() | the weights were rounded to bfloat16: load float32
position_embedding: the first token has position 0
    w[None, 1 : seq + 1] | positions are counted from 1
    w[None, :seq].flip(1) | positions run backwards
    w[0 * ids] | every token has position 0, use torch.arange(seq)
    0 * w; embedded = token_embedding | the position embedding is not added
ln_1, ln_2, ln_f
    x | the layer norm is missing
    norm(norm(x, w, b, eps), w, b, eps) | the layer norm is applied twice
    normal(x, eps) | the layer norm leaves out its weight and bias
    normal(x, eps) * w | the layer norm leaves out its bias
    normal(x, eps) + b | the layer norm leaves out its weight
    normal(x, eps, dim=1) * w + b | the layer norm runs over the positions, not d_model
    normal(x, eps, n=-1) * w + b | the variance is divided by n - 1: var(correction=0)
    x / ((x * x).mean(-1, True) + eps) ** 0.5 * w + b | the mean is not subtracted (RMS)
    normal(x, eps, power=1) * w + b | it divides by the variance
    normal(x, 0) / (1 + eps / x.std(-1, False, True)) * w + b | eps is outside the root
    norm(x, w, b, 1e-2) | epsilon of the layer norm is 0.01 or so, not EPS
    norm(x, w, b, 1e-3) | epsilon of the layer norm is 0.001 or so, not EPS
    norm(x, w, b, 1e-4) | epsilon of the layer norm is 0.0001 or so, not EPS
    norm(x, w, b, 1e-5) | epsilon of the layer norm is 1e-05 or so, not EPS
    norm(x, w, b, 1e-6) | epsilon of the layer norm is 1e-06 or so, not EPS
    norm(x, w, b, 0) | epsilon of the layer norm is about 1e-07 or less, not EPS
ln_1
    norm(x, *part("ln_2"), eps) | ln_2 stands in place of ln_1, too
    norm(x, *part("ln_2"), eps); ln_2 = norm(x, *part("ln_1"), eps)
        | ln_1 and ln_2 are exchanged
    x; attended = norm(x + projected, *part("ln_1"), eps);
        ln_2 = x; added = norm(x + c_proj, *part("ln_2"), eps)
        | the norms stand after the sums: norm what goes into attention and feed-forward
ln_2
    norm(x, *part("ln_1"), eps) | ln_1 stands in place of ln_2, too
    norm(stream, w, b, eps) | both halves read the same stream: attention comes first
c_attn, projected, c_fc, c_proj
    x @ w | the bias of PART is missing
    x @ w.T + b | the weight of PART is transposed: it is stored (in, out), nn.Linear
        wants (out, in), so load weight.T once
    x @ w.reshape(w.shape[::-1]).T + b | the weight of PART is reshaped where it must
        be transposed: use .T
    x | PART is missing
query + key + value
    ln_1 @ part("attn.c_attn")[0].chunk(3, 1)[#] | query, key and value have no bias
    ln_1 @ part("attn.c_attn")[0].chunk(3, 1)[#].T + part("attn.c_attn")[1].chunk(3)[#]
        | the weights of query, key and value are transposed: load their transpose
    c_attn.unflatten(-1, (heads, 3, -1))[..., #, :].flatten(2)
        | the thirds of c_attn are cut out within each head: cut into three, then heads
query: c_attn gives query, key, value in this order
    c_attn.chunk(3, -1)[1]; key = c_attn.chunk(3, -1)[0] | yours is key, query, value
key: c_attn gives query, key, value in this order
    c_attn.chunk(3, -1)[2]; value = c_attn.chunk(3, -1)[1] | yours is query, value, key
query_heads + key_heads + value_heads: take view(batch, seq, heads, d_head)
    x.reshape(len(x), heads, seq, -1) | heads are cut without then transpose(1, 2)
    x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2) | heads and d_head are exchanged
scaled: divide them by the square root of d_head
    x | the scores are not scaled
    x / d_model**0.5 | the scores are divided by sqrt(d_model)
    x / seq**0.5 | the scores are divided by sqrt(seq)
    x / query_heads.shape[-1] | the scores are divided by d_head
    x * query_heads.shape[-1] ** 0.5 | the scores are multiplied
masked
    x | there is no causal mask: a query must not see keys after it
    x * every.tril() | masked scores are set to 0, which has weight: set them to -inf
    hide(x, every.tril(), -10) | masked scores are set to -10, which has weight
    hide(x, every.tril(1)) | the mask is off by one: a query sees the next token too
    hide(x, every.tril(-1)) | the mask is off by one: a query must see its own token
    x - 1e9 * every.triu() | the mask is off by one: a query must see its own token
    hide(x, every.triu()) | the mask is the wrong way round: it shows what comes after
    hide(x, every.triu(1)) | the mask is upside down: it hides what it must show
    hide(x, every.triu(1), -1e9) | the mask is upside down: it hides what it must show
    x; weights = x.softmax(dim=-1) * every.tril() | the mask multiplies weights after
        the softmax, so rows do not sum to 1: set scores to -inf in front of it
weights: it is over keys, dim=-1
    x.softmax(dim=-2) | the softmax runs over queries
    x.softmax(dim=1) | the softmax runs over heads
    x.softmax(dim=-1).softmax(dim=-1) | the softmax is applied twice
gathered: weights (query, key) times value
    x.mT @ value_heads | the weights are transposed
    x @ key_heads | keys are gathered in place of values
merged: transpose(1, 2), then reshape
    x.reshape(stream.shape) | heads are merged without transposing
    x.permute(0, 2, 3, 1).flatten(2) | heads are merged with d_head in front
attended: x + attention(norm(x))
    projected | the stream is not added to attention's output
    ln_1 + projected | attention is added to the normed stream
    x | attention is missing
gelu: GPT-2 has the tanh form, F.gelu(approximate='tanh')
    F.gelu(x) | this is the exact GELU
    x.relu() | this is ReLU
    F.silu(x) | this is SiLU
    x * (1.702 * x).sigmoid() | this is the sigmoid form of GELU
    x | GELU is missing between c_fc and c_proj
    tanh_gelu(x, root=1) | this is GELU whose 2/pi lacks its square root
    tanh_gelu(x, factor=0.44715) | this is GELU with 0.44715 for 0.044715
    2 * tanh_gelu(x) | this is GELU without its factor 1/2
added: x + mlp(norm(x))
    c_proj | the stream is not added to feed-forward's output
    ln_2 + c_proj | feed-forward is added to the normed stream
    stream + c_proj | feed-forward is added to the layer's input, attention is lost
    x | feed-forward is missing
logits: return x @ wte.T, the loss and the sampler want logits
    (x @ w.T).softmax(dim=-1) | probabilities are returned
    (x @ w.T).log_softmax(dim=-1) | log-probabilities are returned
    x @ w.T / d_model**0.5 | the logits are divided by sqrt(d_model)
layers
    own[::-1] | the layers run backwards
    own[:-1] | one layer is missing, the last
    own[1:] | one layer is missing, the first
    own + own[-1:] | the last layer runs twice
    own[:1] * len(own) | all layers have the weights of the first: each needs its own
    own[-1:] * len(own) | all layers have the weights of the last: each needs its own
"""


def normal(x, eps, dim=-1, n=0, power=0.5):
    """Return x with mean 0 and variance 1; ``n`` is added to what divides that."""
    variance = x.var(dim, keepdim=True, correction=-n)
    return (x - x.mean(dim, keepdim=True)) / (variance + eps) ** power


def norm(x, w, b, eps):
    """Return the layer norm of each position."""
    return normal(x, eps) * w + b


def hide(scores, seen, low=-math.inf):
    """Set scores to ``low`` but for what is seen, (query, key)."""
    return scores.masked_fill(seen == 0, low)


def tanh_gelu(x, root=0.5, factor=0.044715):
    """Return GPT-2's GELU: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    return x / 2 * (1 + ((2 / math.pi) ** root * (x + factor * x**3)).tanh())


class Mistake(NamedTuple):
    """A line of WRONG, or weights that are not the reference's."""

    cause: str
    swaps: dict[str, str] = {}  # wrong formulas, by name
    family: dict[str, str] = {}  # those of the same mistake wherever it can be made
    weights: dict[str, torch.Tensor] = {}


class Step(NamedTuple):
    """The value of one operation; layer None is before or behind the layers."""

    layer: int | None
    name: str
    words: str
    value: torch.Tensor
    sources: list[int]  # the numbers of the steps that it was made from
    weights: list[str]  # the names of those that it uses


class Operation(NamedTuple):
    """A line of GPT2."""

    formula: str
    words: str
    part: str  # whose weights it uses; "" for none


ROW = re.compile(r"(\w+) = (.*) \| ([^(\n]*\(?([^)\n]*)\)?)")
BLOCKS = [ROW.findall(block) for block in GPT2.split("\n\n")]
EMBEDDING, LAYER, FINAL = ({n: Operation(*row) for n, *row in b} for b in BLOCKS)
OPERATIONS = EMBEDDING | LAYER | FINAL
compiled = cache(partial(compile, filename="a formula", mode="eval"))


def known_mistakes(config) -> Iterator[Mistake]:
    """Yield what WRONG tells, for a model of this GPT2Config."""
    table = WRONG.strip().replace("EPS", f"{config.layer_norm_epsilon:g}")
    heads = "query_heads + key_heads + value_heads"
    table += f"\n{heads}: the reference has {config.n_head}"
    row = "\n    x.unflatten(-1, (N, -1)).transpose(1, 2) | the number of heads is N"
    counts = [n for n in range(1, config.n_embd + 1) if config.n_embd % n == 0]
    table += "".join(row.replace("N", str(n)) for n in counts)
    for line in table.replace("\n        ", " ").splitlines():
        if not line.startswith(" "):
            heading, _, advice = line.partition(": ")
            names = re.findall(r"\w+", heading)
            continue
        formulas, cause = line.strip().split(" | ")
        formula, *more = formulas.split("; ")
        cause = f"{cause}: {advice}" if advice else cause
        swaps = {name: formula.replace("#", str(i)) for i, name in enumerate(names)}
        if "," in heading:
            for name in names:
                part = OPERATIONS[name].part
                yield Mistake(cause.replace("PART", part), {name: formula}, swaps)
        else:
            yield Mistake(cause, swaps | dict(one.split(" = ") for one in more))


def trace(weights, config, input_ids, *, dtype=torch.float32, swaps=None):
    """Yield GPT-2's steps on ids (batch, seq), with ``swaps`` by (layer, name)."""
    swaps, newest, count = swaps or {}, {}, 0  # newest: the number of each name's step
    layers = [swaps[place] for place in swaps if "layers" in place] or ["own"]
    order = eval(layers[0], {"own": list(range(config.n_layer))})
    seq, eps = input_ids.shape[1], config.layer_norm_epsilon
    values = {"ids": input_ids, "seq": seq, "every": torch.ones(seq, seq), "eps": eps}
    values |= {"heads": config.n_head, "d_model": config.n_embd}
    parts = defaultdict(list)  # the names of each part's weight and bias
    for name in weights:
        parts[name.rpartition(".")[0]].append(name)
    inner = [(layer, LAYER) for layer in range(len(order))]
    for layer, table in [(None, EMBEDDING), *inner, (None, FINAL)]:
        prefix = "" if layer is None else f"h.{order[layer]}."
        place = "" if layer is None else f"layer {layer}: "

        def part(name: str, prefix=prefix) -> list[torch.Tensor]:
            return [weights[one].to(dtype) for one in parts[prefix + name]]

        for name, right in table.items():
            formula = compiled(swaps.get((layer, name), right.formula))
            reads = compiled(right.formula).co_names
            x = next((read for read in reads if read in newest), None)
            own = dict(zip("wb", part(right.part), strict=False))
            values |= own | {"x": values.get(x), "part": part}
            values[name] = eval(formula, globals(), values)
            reads = {x if read == "x" else read for read in formula.co_names}
            sources = [newest[read] for read in reads if read in newest]
            words, own = place + right.words, parts[prefix + right.part]
            yield Step(layer, name, words, values[name], sources, own)
            newest[name], count = count, count + 1
        values["stream"], newest["stream"] = values[name], newest[name]
