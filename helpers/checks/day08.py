"""Checks for day 8: the parts of a GPT-2, a block mended."""

from functools import partial, wraps

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.checks.common import exercise, expect
from helpers.checks.values import same
from helpers.parity import compare, parts


@torch.no_grad()
def _reference(layers):
    """Return a small random GPT-2 on which mistakes show, and ids that it can read."""
    sizes = {"n_layer": layers, "n_embd": 12, "n_head": 3, "vocab_size": 20}
    more = {"n_positions": 9, "layer_norm_epsilon": 0.02}  # so large that it shows
    model = GPT2LMHeadModel(GPT2Config(**sizes, **more, **ENDS)).eval()
    luck = torch.Generator().manual_seed(8)
    for weight in model.parameters():
        weight.copy_(0.7 * torch.randn(weight.shape, generator=luck))
    return model, torch.randperm(20, generator=luck)[None, :5]


class _Calls(TorchFunctionMode):
    """While it is on, note the names of torch's functions that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


def part(text, cases, layers=1, kernel="", wrong=None):
    """Return the check of a part: in a whole model, the debugger says what is wrong.

    Who calls torch's own ``kernel`` is right, and told so. ``wrong``: see ``exercise``.
    """
    right, wrong = getattr(parts, text.partition("(")[0]), wrong or {}

    def judge(answer):
        for message, function in wrong.items():
            if all(same(answer(*case), function(*case)) for case in cases):
                return message
        reference, ids = _reference(layers)
        own = {right.__name__: answer}
        report = compare(parts.assembled(reference, **own), reference, ids)
        if not report.equal:
            return f"{report.cause} (first difference: {report.operation})"

    check = exercise(text, cases=cases, right=right, wrong=wrong, judge=judge)

    @wraps(check)
    def told(answer):
        check.__name__ = told.__name__
        message = check(answer)
        with _Calls() as calls:
            if message == "correct" and kernel:
                answer(*cases[0])
        by_kernel = f"correct, by torch's own {kernel}: now write the steps out"
        return by_kernel if kernel in calls.names else message

    return told


def _random(*shapes):
    luck = torch.Generator().manual_seed(8)
    return [torch.randn(shape, generator=luck) for shape in shapes]


ENDS = {"bos_token_id": 0, "eos_token_id": 0}
IDS = torch.tensor([[3, 1, 4, 0], [2, 7, 1, 8]])
X, WIDE, SQUARE, TABLE, W, B = _random((2, 5, 12), (12, 36), (12, 12), (9, 12), 12, 12)
CALLS = [torch.tanh, torch.cos, torch.sin, torch.sigmoid]
day08_embed = part(
    "embed(input_ids, wte, wpe): a row for each token, and for its place.",
    cases=[(IDS, TABLE, TABLE[1:].flip(0)), (IDS[:1, :3], TABLE, SQUARE)],
)
day08_layer_norm = part(
    "layer_norm(x, weight, bias, eps): over the last axis.",
    cases=[(X, W, B, 1e-5), (X[:1], W, B, 0.1)],
    kernel="layer_norm",
)
day08_attend = part(
    "attend(query, key, value): softmax(Q K^T / sqrt(d_head) + M) V.",
    cases=[tuple(_random(*3 * [(2, 3, 5, 4)])), tuple(_random(*3 * [(6, 3)]))],
    kernel="scaled_dot_product_attention",
)


def _untransposed(x, c_attn, attend, c_proj, heads):
    split = c_attn(x).unflatten(-1, (3, heads, -1))  # (batch, seq, 3, head, d_head)
    return c_proj(attend(*split.unbind(2)).flatten(2))


day08_attention = part(
    "attention(x, c_attn, attend, c_proj, heads): all heads at once.",
    cases=[
        (X, lambda x: x @ WIDE, parts.attend, lambda x: x @ SQUARE, heads)
        for heads in (3, 4)
    ],
    wrong={
        "heads and places are never exchanged: transpose(1, 2) before and "
        "after": _untransposed,
    },
)
day08_gelu = part(
    "gelu(x): the tanh form.",
    cases=[(X,), (torch.linspace(-4, 4, 9),)],
    kernel="gelu",
)
day08_block = part(
    "block(x, ln_1, attn, ln_2, mlp): each half added to what came in.",
    cases=[(X, *CALLS), (X[:1], *CALLS[::-1])],
)
day08_stack = part(
    "stack(x, blocks, ln_f, wte): the layers, the last norm, the head.",
    cases=[(X, CALLS, torch.sinh, TABLE), (X[:1], CALLS[1:], torch.cosh, TABLE)],
    layers=2,
)


def _split(z, heads):
    return z.unflatten(-1, (heads, -1)).transpose(1, 2)  # (batch, head, seq, d_head)


def _thirds(z, heads):
    return [_split(third, heads) for third in z.chunk(3, dim=-1)]


_kernel = partial(F.scaled_dot_product_attention, is_causal=True)


def _mend(block, x, heads, cut=_thirds, sum_=lambda x, y: x, attend=_kernel):
    y = block.ln_1(x)
    gathered = attend(*cut(block.attn.c_attn(y), heads)).transpose(1, 2).flatten(2)
    x = sum_(x, y) + block.attn.c_proj(gathered)
    return x + block.mlp.c_proj(parts.gelu(block.mlp.c_fc(block.ln_2(x))))


def _by_heads(query, key, value):
    return _kernel(query, key, value, scale=query.shape[1] ** -0.5)


def _try_block(mended, d, heads):
    """Run an answer on a small random block, whose parts have the lesson's names."""
    sizes = {"n_layer": 1, "vocab_size": 9, "n_positions": 9}
    config = GPT2Config(n_embd=d, n_head=heads, **sizes, **ENDS)
    luck = torch.Generator().manual_seed(d)
    with torch.no_grad():
        block = GPT2LMHeadModel(config).eval().transformer.h[0]
        for parameter in block.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=luck)
        block.attn.register_forward_hook(lambda attn, given, answer: answer[0])
        itself = "shelf(x) is what you are writing: it would call itself"
        block.forward = lambda *given, **options: expect(False, itself)
        x = torch.randn(2, 7, d, generator=luck)
        given = x.clone()
        answer = mended(block, x, heads)
    expect(torch.equal(x, given), "x was changed in place: x = x + …, not x +=")
    return answer


# In the order in which the debugger meets them; what to do, the learner finds out.
CUT = "still wrong: how query, key and value are cut out of what c_attn returns"
STREAM = "still wrong: what attention's output is added to"
day08_mend = exercise(
    "mended(shelf, x, heads): what a block of GPT-2 does.",
    cases=[(24, 4), (16, 2)],
    call=_try_block,
    same=partial(same, atol=1e-4),
    hint=lambda *_: "something is still wrong: what does try_out(mended) say?",
    right=_mend,
    wrong={
        CUT: dict(cut=lambda z, n: _split(z, n).chunk(3, dim=-1)),
        STREAM: dict(sum_=lambda x, y: y),
        "still wrong: what the kernel does with the scores": dict(attend=_by_heads),
        "still wrong: what the kernel does with the scores, and more": dict(
            sum_=lambda x, y: y, attend=_by_heads
        ),
        "use heads, they need not be 8": lambda block, x, heads: _mend(block, x, 8),
        "it must be causal": dict(attend=F.scaled_dot_product_attention),
    },
)


def _letters(case, right, said):
    if sorted(said) == sorted(right):
        return "these are the three: now in the debugger's order"
    return f"letters that belong here: {len(set(said) & set(right))} of 3"


day08_causes = exercise(
    "causes(): what was wrong in the colleague's block, as letters.",
    cases=[()],
    call=lambda answer: answer(),
    hint=_letters,
    right=lambda: "fdb",
    wrong={
        "not the mask: the call asks for a causal one": lambda: "fab",
        "not the softmax: nothing in the call says over which axis": lambda: "feb",
        "not what ln_2 reads, but what was added before it": lambda: "fdg",
    },
)
