"""Measure the pocket GPT-2: ``python -m helpers measure`` prints its model card.

Every figure comes from texts with seeds never trained on. ``--write`` keeps the card
as the model's README.md and the figures, for machines, in measurements.json.
``measure frontier > data/measurements/frontier.json`` makes what day 6 draws,
``measure widths`` what day 5 compares, and ``measure checkpoints FOLDER …`` what day 9
draws.
"""

import json
import math
from collections import Counter

import torch

from helpers.decoding import (
    generate_text,
    min_p,
    sample,
    temperature,
    top_k,
    top_p,
    typical_p,
)
from helpers.evaluation import (
    beside_truth,
    frontier,
    gap_to_floor,
    sample_texts,
    widths,
)
from helpers.gpt2 import GPT2, pack
from helpers.models import find_folder, load_model
from helpers.options import Parser, UsageError
from helpers.plots.training import loss_curve
from helpers.pocket.batches import SHARES
from helpers.pocket.card import write_card
from helpers.pocket.saves import read_log, replacing
from helpers.tokens import pretokenise as words
from helpers.worlds import (
    FRESH,
    RECALL,
    TASKS,
    check_many,
    list_prompt,
    load_world,
    mean,
)

ENOUGH = 500  # texts, for a card
STRATEGIES = {"pure sampling": (), "top-p 0.9": (top_p(0.9),), "greedy": None}
FRONTIER = {  # family: strategy: its rules, or what it is called where it searches
    "temperature": {f"T = {t}": [temperature(t)] for t in (0.1, 0.7, 1.0, 1.5)},
    "top-k": {f"k = {k}": [top_k(k)] for k in (10, 40, 100)},
    "top-p": {f"p = {p}": [top_p(p)] for p in (0.8, 0.9, 0.95)},
    "min-p, typical": {f"min-p {p}": [min_p(p)] for p in (0.01, 0.1)}
    | {"typical 0.9": [typical_p(0.9)]},
    "two knobs": {
        "T = 0.7, p = 0.9": [temperature(0.7), top_p(0.9)],
        "T = 1.5, p = 0.9": [temperature(1.5), top_p(0.9)],
        "T = 1.5, min-p 0.1": [temperature(1.5), min_p(0.1)],
    },
    "search": {"greedy": [top_k(1)], "4 beams": "beam", "contrastive": "contrastive"},
}


def measure_floor(model, tokenizer, n: int) -> dict:
    """Return perplexity beside the entropy floor, per world, with standard errors."""
    rows = {name: {} for name in SHARES}
    for name, row in rows.items():
        world, share = load_world(name), SHARES[name]
        gap = gap_to_floor(model, tokenizer, world, n, share=share, seed=FRESH)
        for kind, nats in zip(("perplexity", "floor", "ratio"), gap, strict=True):
            value = math.exp(nats.value)
            row |= {kind: value, f"{kind}_error": value * nats.error}
    return {"texts": n, "worlds": rows}


def measure_stories(model, tokenizer, n: int) -> dict:
    """Return the share of stories the world accepts whole, and the first errors.

    Each goes on from the first word of a fresh story, as after nothing the model may
    also begin with code or a list. Greedy decoding has one answer to each beginning,
    so greedy stories go on from twelve words.
    """
    world, rows = load_world("stories"), {}
    fresh = [words(world.sample(FRESH + i)) for i in range(n)]
    for name, rules in STRATEGIES.items():
        given = 12 if rules is None else 1
        options = {} if rules is None else {"rules": rules, "pick": sample(0)}
        prompts = ["".join(pieces[:given]) for pieces in fresh]
        texts = sample_texts(model, tokenizer, n, prompts=prompts, **options)
        slips = [slip for slip in map(world.first_error, texts) if slip is not None]
        kinds = Counter(slip.kind for slip in slips).most_common()
        examples = [slip.reason for slip in slips[:3]]
        share = (n - len(slips)) / n
        rows[name] = {"accepted": share, "first_errors": kinds, "examples": examples}
    return {"texts": n, "strategies": rows}


def measure_code(model, tokenizer, n: int) -> dict:
    """Return the shares of functions that parse and that pass their doctests."""
    options = {"rules": [temperature(0.7)], "pick": sample(0)}
    texts = sample_texts(model, tokenizer, n, prompts=("def",), **options)
    errors = check_many(texts)
    syntax = sum(e is not None and e[1].startswith("syntax") for e in errors)
    right = sum(error is None for error in errors)
    return {"texts": n, "parses": 1 - syntax / n, "passes": right / n}


def measure_lists(model, tokenizer, n: int) -> dict:
    """Return the share of right answers for each number of shots, over all tasks."""
    rows = {}
    for shots in range(9):
        asked = [t for t in TASKS if shots >= 2 or t != RECALL]  # which needs two
        pairs = [list_prompt(asked[i % len(asked)], shots, FRESH + i) for i in range(n)]
        prompts, answers = zip(*pairs, strict=True)
        texts = sample_texts(model, tokenizer, n, prompts=prompts, max_new_tokens=6)
        told = zip(texts, prompts, answers, strict=True)
        right = sum(t.removeprefix(p).partition(",")[0] == a for t, p, a in told)
        rows[shots] = right / n
    return {"prompts": n, "accuracy": rows}


def measure_places(model, tokenizer, n: int) -> dict:
    """Return the divergence (nats) over the places of stories, and the worst places."""
    world, total, rows = load_world("stories"), 0.0, []
    for seed in range(FRESH, FRESH + n):
        story = words(world.sample(seed))
        logits, truth, _ = beside_truth(model, tokenizer, world, ["".join(story)])
        said = logits.log_softmax(-1)
        gaps = (truth.xlogy(truth) - truth * said).sum(-1)  # (places,)
        total += gaps.sum().item()
        for gap, at in zip(*map(torch.Tensor.tolist, gaps.topk(5)), strict=True):
            row = {"nats": round(gap, 3), "after": "".join(story[: at + 1])[-80:]}
            for name, probs in (("truth", truth[at]), ("model", said[at].exp())):
                best = zip(*map(torch.Tensor.tolist, probs.topk(3)), strict=True)
                row[name] = {tokenizer.decode([i]): round(p, 3) for p, i in best}
            rows.append(row)
    rows.sort(key=lambda row: -row["nats"])
    return {"texts": n, "nats_per_story": total / n, "worst": rows[:100]}


def measured(model, tokenizer, parts: list[str], texts: int) -> dict:
    """Return the figures of some parts of the card."""
    writer, figures = pack(GPT2.from_hf(model)), {}
    for part in parts:
        reads = model if part == "floor" else writer
        figures[part] = (MEASURES | APART)[part](reads, tokenizer, texts)
    return figures


def measure_frontier(model, tokenizer, n: int) -> dict:
    """Return what the world says of each strategy's ends to ``n`` fresh beginnings."""
    world = load_world("stories")
    prompts = frontier.beginnings(world, n)

    def ends(how) -> list[str]:
        options = {"max_new_tokens": frontier.MOST}
        if isinstance(how, str):
            options |= {"strategy": how, "model": (model, tokenizer)}
            return [generate_text(prompt, **options) for prompt in prompts]
        options |= {"pick": sample(0), "prompts": prompts, "rules": how}
        return sample_texts(model, tokenizer, n, **options)

    def row(texts: list[str]) -> dict:
        verdicts = [frontier.judge(world, text) for text in texts]
        *_, distinct, alike = frontier.measure(texts, verdicts, prompts)
        return {"verdicts": verdicts, "distinct": distinct, "alike": alike}

    families = {
        family: {label: row(ends(how)) for label, how in strategies.items()}
        for family, strategies in FRONTIER.items()
    }
    own = [world.sample(FRESH + i) for i in range(n)]
    families["truth"] = {"the world's own": row(own)}
    return {"texts": n, "families": families}


def measure_widths(model, tokenizer, n: int) -> dict:
    """Return what beams of each width, and draws, make of ``n`` fresh beginnings."""
    return {"texts": n, "ways": widths.compare_widths(model, tokenizer, n)}


def checkpoints(folders: list[str], n: int) -> dict:
    """Return what saves of a training expect of fresh stories, and how they tell."""
    world, rows = load_world("stories"), []
    prompts = frontier.beginnings(world, n)
    for folder in folders:
        model, tokenizer = load_model(folder)
        gap = gap_to_floor(model, tokenizer, world, n, share=SHARES["stories"])
        writer = pack(GPT2.from_hf(model))
        texts = frontier.write(writer, tokenizer, prompts, pick=sample(0))
        whole = mean(world.first_error(text) is None for text in texts)
        log = read_log(find_folder(folder))
        row = {"targets": log["recipe"]["targets"], "tokens": log["tokens"]}
        rows.append(row | {"whole": whole} | gap._asdict())
    return {"texts": n, "checkpoints": rows}


MEASURES = {"floor": measure_floor, "stories": measure_stories}
MEASURES |= {"code": measure_code, "lists": measure_lists}
BESIDE = ["floor", "stories"]  # of a model that the card compares with
APART = {"frontier": measure_frontier, "places": measure_places}  # not of the card
APART |= {"widths": measure_widths}
CHECKPOINTS = "checkpoints"  # of several models


def main(arguments: list[str]) -> int:
    """Run ``python -m helpers measure``."""
    parser = Parser(prog="python -m helpers measure")
    parser.add_argument(
        "part",
        nargs="?",
        choices=[*MEASURES, *APART, CHECKPOINTS],
        help="one part only",
    )
    parser.add_argument("folders", nargs="*", help="saves, for checkpoints")
    parser.add_argument("--model", default="pocket", help="name or folder")
    parser.add_argument("--texts", type=int, default=ENOUGH, help="texts per figure")
    parser.add_argument(
        "--beside", nargs="+", default=[], help="folders of others to compare it with"
    )
    parser.add_argument("--write", action="store_true", help="keep the card")
    options = parser.parse_args(arguments)
    least = 8 if options.part in APART else 1  # a group of stories
    if options.texts < least:
        parser.error(f"--texts must be at least {least}, not {options.texts}")
    if options.write and (options.part or options.texts < ENOUGH):
        parser.error(f"--write needs all parts, and at least {ENOUGH} texts")
    if bool(options.folders) != (options.part == CHECKPOINTS):
        parser.error("checkpoints needs folders of saves, and nothing else does")
    if options.folders:
        try:
            print(json.dumps(checkpoints(options.folders, options.texts)))
        except (OSError, ValueError) as error:
            raise UsageError(f"a save cannot be measured ({error})") from None
        return 0
    folder = find_folder(options.model)
    model, tokenizer = load_model(options.model)
    try:
        log = None if options.part else read_log(folder)
        others = {name: read_log(find_folder(name)) for name in options.beside}
    except (OSError, ValueError) as error:
        line = f"the card needs the log of the model's training ({error})"
        raise UsageError(f"{line}: give one part, for instance floor") from None
    parts = [options.part] if options.part else [*MEASURES]
    figures = measured(model, tokenizer, parts, options.texts)
    if options.part:
        print(json.dumps(figures, indent=None if options.part in APART else 2))
        return 0
    figures["beside"] = []
    for name, told in others.items():
        both = measured(*load_model(name), BESIDE, options.texts)
        both["log"] = {k: told[k] for k in ("tokens", "recipe")}
        figures["beside"].append(both)
    figures["parameters"] = model.num_parameters()
    figures["vocabulary"] = len(tokenizer)
    figures["megabytes"] = (folder / "model.safetensors").stat().st_size / 1e6
    card = write_card(figures, log)
    print(card)
    if options.write:
        with replacing(folder) as place:
            (place / "README.md").write_text(card)
            numbers = json.dumps(figures, indent=2)
            (place / "measurements.json").write_text(f"{numbers}\n")
            recent = log["history"][-100:]
            floor = sum(loss - above for _, _, loss, above in recent) / len(recent)
            loss_curve(log["history"], floor=floor).figure.savefig(place / "loss.png")
    return 0
