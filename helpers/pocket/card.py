"""The pocket GPT-2's model card: the words of ``card.md``, filled in with figures."""

from pathlib import Path

from helpers.worlds import FRESH, mean

WORDS = Path(__file__).resolve().parents[2] / "data" / "pocket-gpt2" / "card.md"
DIGITS = {"perplexity": 3, "floor": 3, "ratio": 4}


def write_card(figures: dict, log: dict) -> str:
    """Return the model card: measured figures only, each with its command."""
    worlds = [["world", "perplexity", "entropy floor", "perplexity / floor"]]
    for name, row in figures["floor"]["worlds"].items():
        pairs = [(row[k], row[f"{k}_error"], n) for k, n in DIGITS.items()]
        worlds.append([name, *(f"{x:.{n}f} ± {error:.{n}f}" for x, error, n in pairs)])
    shares = [["decoding", "accepted whole", "first errors by kind, stories"]]
    rates = [*figures["stories"]["strategies"]]
    for name, row in figures["stories"]["strategies"].items():
        share = percent(row["accepted"], figures["stories"]["texts"])
        slips = [f"{kind} {count}" for kind, count in row["first_errors"]]
        shares.append([name, share, ", ".join(slips) or "–"])
    curve = [["shots", "right answers"]]
    for shots, share in figures["lists"]["accuracy"].items():
        curve.append([shots, percent(share, figures["lists"]["prompts"])])
    code, compared = figures["code"], ""
    if beside := figures.get("beside"):  # other trainings, or saves of this one
        ways = [["learned from", "tokens", "ratio, stories", *rates]]
        for of, told in ((figures, log), *((of, of["log"]) for of in beside)):
            name = f"{told['recipe']['targets']}, seed {told['recipe']['seed']}"
            row = of["floor"]["worlds"]["stories"]
            ratio = f"{row['ratio']:.4f} ± {row['ratio_error']:.4f}"
            n, ways_of = of["stories"]["texts"], of["stories"]["strategies"]
            right = [percent(ways_of[rate]["accepted"], n) for rate in rates]
            ways.append([name, f"{told['tokens']:,}", ratio, *right])
        told = " The same recipe with\nother targets or fewer tokens (`--beside`):"
        compared = f"{told}\n\n{table(ways)}"
    return WORDS.read_text("utf-8").format(
        **figures,
        **{"log": log, "recipe": log["recipe"], "runs": len(log["runs"])},
        **{"minutes": log["seconds"] / 60, "last": log["history"][-1][2]},
        **{"worlds": table(worlds), "shares": table(shares), "curve": table(curve)},
        ways=compared,
        parses=percent(code["parses"], code["texts"]),
        passes=percent(code["passes"], code["texts"]),
        fresh=FRESH,
    )


def percent(share: float, n: int) -> str:
    """Write a share of n with its standard error."""
    value, error = mean(i < round(share * n) for i in range(n))
    return f"{value:.1%} ± {error:.1%}"


def table(rows: list[list]) -> str:
    """Return a Markdown table; the first row is its head."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
