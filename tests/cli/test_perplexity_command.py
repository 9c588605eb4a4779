"""`perplexity`: its table, Ctrl-C, the published figures, one line for each mistake."""

import io
import re
import sys
import time

import pytest
import torch

import helpers.evaluation
import helpers.gpt2
from helpers.cli import command_line, perplexity
from helpers.cli.command_line import main
from helpers.evaluation import PerplexityResult, corpus_perplexity

POEMS = ["A merry fox\nwas here.", "A second, längere text.", "A merry fox\nwas here."]
SEE = " (see python -m helpers perplexity --help)\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "poems.txt"
    path.write_text("\n<|endoftext|>\n".join(POEMS), "utf-8")
    return str(path)


def measure(*words):
    given = ["--model", "pocket", *words]
    return perplexity.run(command_line.parse("perplexity", given))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "the following arguments are required: --corpus" + SEE),
        (["--corpus", ""], "--corpus is empty\n"),
        (["--model", "", "--corpus", "verse"], "--model is empty\n"),
        (["--corpus", "verse", "--stride", "0"], "--stride is 0, expected a whole num"),
        (["--corpus", "verse", "--limit", "-3"], "--limit is -3, expected a whole num"),
        (["--corpus", "verse", "--batch-size", "0"], "--batch-size is 0, expected a w"),
        (["--corpus", "verse", "--split", "dev"], "argument --split: invalid choice: "),
        (["--corpus", "verse", "--dtype", "int8"], "argument --dtype: invalid choice"),
        (["--corpus", "verse", "poems"], "unrecognized arguments: poems" + SEE),
    ],
)
def test_mistake_is_one_line_and_status_2(words, line, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "enter", None)  # found before anything is made
    assert main(["perplexity", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"python -m helpers: {line}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--corpus", "vers"], "there is no corpus named 'vers': expected a world"),
        (["--corpus", "FILE", "--stride", "600"], "stride is 600, expected a whole nu"),
        (["--corpus", "tinystories", "--split", "test"], "tinystories has no split te"),
        (["--corpus", "EMPTY"], "EMPTY: there is no text in the split all: give more"),
    ],
)
def test_mistake_found_later_is_one_line_too(words, line, file, tmp_path, capsys):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    places = {"FILE": file, "EMPTY": str(empty)}
    given = ["perplexity", "--model", "pocket", *(places.get(w, w) for w in words)]
    line = re.sub("EMPTY", str(empty), line)
    assert main(given) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"python -m helpers: {line}")


def test_a_file_is_read_whole_and_the_table_has_what_the_library_returns(
    file, pocket, capsys
):
    assert measure("--corpus", file, "--stride", "7") == 0
    said = capsys.readouterr()
    result = corpus_perplexity(*pocket, POEMS[:2], stride=7)
    rows = {line[:22].strip(): line[22:].split() for line in said.out.splitlines()}
    assert rows["nats per token"] == [f"{result.nll:.4f}", f"{result.error:.4f}"]
    assert rows["bits per byte"][0] == f"{result.bits_per_byte:.4f}"
    assert rows["perplexity per word"][0] == perplexity.shown(result.ppl_per_word, 3)
    assert f"on {file}, split all, documents read each from its be" in said.out
    assert "stride 7 of 512 tokens, float32 on cpu" in said.out
    assert f"scored: {result.tokens} tokens, {result.bytes} bytes, 9 words" in said.out
    assert "documents: 2; left out: 1 repeated, 0 without text" in said.out
    assert said.err == ""  # no terminal, no bar


@pytest.mark.parametrize(
    ("corpus", "split"),
    [("verse", "test"), ("poems", "test"), ("tinystories", "validation"), ("a", "all")],
)
def test_the_split_that_is_read_unless_another_is_named(corpus, split):
    assert perplexity.default_split(corpus) == split


def test_precision_is_the_one_named_or_the_faster_one(monkeypatch):
    faster = torch.bfloat16, "why"
    monkeypatch.setattr(helpers.gpt2, "choose_precision", lambda device: faster)
    kinds = [perplexity.read_dtype(name, "cpu") for name in perplexity.DTYPES]
    assert kinds == [torch.float32, torch.bfloat16, torch.bfloat16]


def stopping(results):
    """Stand in for `running_perplexity`, and for Ctrl-C after some results."""

    def measuring(*_, **__):
        yield from results
        raise KeyboardInterrupt

    return measuring


def test_ctrl_c_gives_the_figures_so_far(file, capsys, monkeypatch):
    result = PerplexityResult(1.5, 0.1, 40, 90, 100, 20, 3)
    monkeypatch.setattr(helpers.evaluation, "running_perplexity", stopping([result]))
    assert main(["perplexity", "--model", "pocket", "--corpus", file]) == 130
    said = capsys.readouterr().out
    assert said.startswith("Stopped: these are the figures so far.\npocket on ")
    assert re.search(r"nats per token +1.5000 +0.1000\n", said)
    assert re.search(r"perplexity per token +4.482 +0.448\n", said)
    assert re.search(r"perplexity per word +20.086 +4.017\n", said)
    monkeypatch.setattr(helpers.evaluation, "running_perplexity", stopping([]))
    assert main(["perplexity", "--model", "pocket", "--corpus", file]) == 130
    assert capsys.readouterr().err.startswith("\nStopped.")


def test_at_a_terminal_a_bar_shows_the_perplexity_so_far(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def slow():
        for n in (20, 40):
            time.sleep(0.2)  # a bar is not drawn more often than its reader reads
            yield PerplexityResult(1.5, 0.1, n, 90, 100, 20, 3)

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert len(list(perplexity.watched(slow()))) == 2
    assert "40 tokens" in sys.stderr.getvalue()
    assert "perplexity 4.482" in sys.stderr.getvalue()


@pytest.mark.parametrize("name", perplexity.PUBLISHED)
def test_what_is_published_stands_beside_the_learners_own(name):
    result = PerplexityResult(3.4, 0.01, 287_000, 0, 1_280_000, 240_000, 18)
    table = perplexity.published(name, result, 512, part=True)
    figure = {"gpt2": 29.41, "gpt2-medium": 22.76, "gpt2-large": 19.93}
    rows = [line.split()[:2] for line in table.splitlines()[1:]]
    assert rows[0] == ["published", str(figure.get(name, 18.34))]
    assert rows[-1] == ["yours", "29.96"]
    assert ("29.94" in table) == (name == "gpt2")
    assert "de-tokenised" in table and "a part of it, stride 512" in table


def test_a_figure_is_shown_in_the_places_that_it_needs():
    shown = [perplexity.shown(x, 2) for x in (1.234, 999_999.4, 1.2e9, float("nan"))]
    assert shown == ["1.23", "999,999.40", "1.2e+09", "–"]
