"""Corpora of the worlds and of files, split, without repetitions, with clear errors."""

import json
import sys
import time
import tracemalloc
from itertools import islice

import pytest
import torch

from helpers.corpora import SPLITS, CorpusError, load_corpus, packed, sources
from helpers.worlds import load_world
from tests.cli.waiting import run
from tests.hub import serve
from tests.lanes import ROOT

TEXTS = [
    f"Text {i}.\nIt has two lines, ünd {'more ' * (i % 7)}words." for i in range(400)
]


def write(path, kind):
    if kind == "folder":
        for i, text in enumerate(TEXTS):
            (path / f"{i:03}.txt").write_text(text, "utf-8")
        return path
    file = path / f"texts.{kind}"
    if kind == "txt":
        file.write_text("\n<|endoftext|>\n".join(TEXTS), "utf-8")
    elif kind == "jsonl":
        rows = [json.dumps({"n": i, "text": text}) for i, text in enumerate(TEXTS)]
        file.write_text("\n".join(rows), "utf-8")
    else:
        rows = ["n,text", *(f'{i},"{text}"' for i, text in enumerate(TEXTS))]
        file.write_text("\n".join(rows), "utf-8")
    return file


@pytest.mark.parametrize("kind", ["txt", "folder", "csv", "jsonl"])
def test_files_give_each_document_to_one_split(tmp_path, kind):
    column = "text" if kind in ("csv", "jsonl") else ""
    path = str(write(tmp_path, kind))
    read = {s: list(load_corpus(path, split=s, field=column)) for s in SPLITS}
    assert sorted(sum(read.values(), [])) == sorted(TEXTS)
    assert list(load_corpus(path, split="all", field=column)) == TEXTS
    for split, share in SPLITS.items():
        expected = share * len(TEXTS)
        assert abs(len(read[split]) - expected) < 4 * expected**0.5


def test_repetitions_and_empty_texts_are_left_out_and_counted(tmp_path):
    file = tmp_path / "texts.jsonl"
    rows = [{"text": text} for text in [*TEXTS, *TEXTS[:50], "", "  \n", None]]
    file.write_text("\n".join(map(json.dumps, rows)))
    counts = [0, 0, 0]
    for split in SPLITS:
        corpus = load_corpus(str(file), split=split)
        for _ in range(2):  # the second time as the first
            texts = list(corpus)
            assert len(texts) == corpus.documents == len(set(texts))
        counts[0] += corpus.documents
        counts[1] += corpus.duplicates
        counts[2] = corpus.empty
    assert counts == [400, 50, 3]


def test_worlds_are_read_without_end_and_never_what_was_trained_on():
    corpus = load_corpus("verse", limit=30)
    texts = list(corpus)
    world = load_world("verse")
    assert len(texts) == len(set(texts)) == 30
    assert all(world.first_error(text) is None for text in texts)
    others = set(load_corpus("verse", split="test", limit=10))
    assert not others & set(texts) and len(others) == 10
    assert load_corpus("stories").limit == 1_000


def test_an_enormous_line_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "PART", 1_000)
    file = tmp_path / "one.txt"
    text = "".join(f"word {i} " for i in range(5_000)) + "x" * 5_000
    file.write_text(text)
    parts = list(sources.find_source(str(file)).read("train"))
    assert "".join(parts) == text
    assert max(map(len, parts)) <= 2_000 and len(parts) > 20


def test_articles_begin_with_their_titles():
    lines = ["", " = One = \n", "", " a = b \n", " = = Part = = \n", "text\n", ""]
    lines += [" = Two of them = \n", "", "more\n"]
    found = list(sources._articles(iter(lines)))
    assert [one.split()[1] for one in found] == ["One", "Two"]
    assert "".join(found) == "\n\n".join(lines)


def test_blocks_hold_all_documents_without_pads(tokenizer):
    texts, end = TEXTS[:20], tokenizer.eos_token_id
    rows = list(packed(tokenizer, texts, 64))
    flat = torch.cat(rows).tolist()
    ids = [t for text in texts for t in (end, *tokenizer(text)["input_ids"])] + [end]
    assert all(len(row) == 64 for row in rows)
    assert flat == ids[: len(flat)] and len(ids) - len(flat) < 64
    with pytest.raises(ValueError, match="tokens, less than a block of 512"):
        list(packed(tokenizer, ["a kite"], 512))


def bad(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


BAD = [
    ("a.txt", b"", "", "there is no text in the split train: give more"),
    ("a.txt", b" \n \n", "", "there is no text"),
    (
        "a.txt",
        b"gr\xfc\xdfe",
        "",
        "is no UTF-8 text (it has the byte 0xfc where none may be): save",
    ),
    (
        "a.csv",
        b"n,text\n1,a\n",
        "",
        "holds the text; its columns are n, text",
    ),
    ("a.csv", b"n,text\n1,a\n", "poem", "there is no column 'poem'; its columns are n"),
    ("a.csv", b"", "text", "there is no column 'text'; it has no columns"),
    ("a.jsonl", b'{"text": 3}\n', "text", "row 1 holds int, expected text"),
    ("a.jsonl", b'{"text": "a"}\n[1]\n', "text", "row 2 is no object"),
    ("a.jsonl", b'{"text": "a"\n', "text", "cannot be read (Expecting ',' delimiter"),
]


@pytest.mark.parametrize(("name", "data", "column", "line"), BAD)
def test_bad_files_are_told_in_one_line(tmp_path, name, data, column, line):
    path = bad(tmp_path, name, data)
    with pytest.raises(CorpusError) as error:
        list(load_corpus(str(path), field=column))
    assert line in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"source": "vers"}, "there is no corpus named 'vers': expected a world"),
        ({"source": ""}, "expected the name of a corpus, got ''"),
        ({"source": "verse", "split": "dev"}, "split is 'dev', expected one of train"),
        ({"source": "verse", "limit": 0}, "limit is 0, expected a whole number from 1"),
        ({"source": "tinystories", "split": "test"}, "tinystories has no split test"),
    ],
)
def test_what_cannot_be_found_is_told_in_one_line(options, line):
    with pytest.raises(ValueError) as error:
        load_corpus(**options)
    assert str(error.value).startswith(line) and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_enormous_line_of_a_table_is_refused(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LONGEST", 1_000)
    file = tmp_path / f"a.{kind}"
    file.write_text(
        '{"text": "' + "x" * 2_000 + '"}' if kind == "jsonl" else "x" * 2_000
    )
    with pytest.raises(CorpusError, match="longer than 1,000 characters: give one"):
        list(load_corpus(str(file)))


def test_stanzas_in_a_table_keep_their_blank_lines(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('text\n"One\n\nTwo\n"\n\n"Three"\n')
    assert list(load_corpus(str(file), split="all")) == ["One\n\nTwo\n", "Three"]


def test_memory_stays_flat(tmp_path):
    file = tmp_path / "large.txt"
    with file.open("w") as out:
        for i in range(40):
            out.write(f"{i} " + "word " * 100_000)  # one line of 20 MB
    tracemalloc.start()
    some = sum(map(len, islice(sources.find_source(str(file)).read("train"), 100)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert some > 19e6 and peak < 12e6


@pytest.fixture
def poems(tmp_path):
    """A data set as the hub has it, of which one poem stands there twice."""
    rows = [{"Title": "none", "Poem": text} for text in [*TEXTS, TEXTS[0], None]]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {"datasets/" + sources.HUB["poems"].repository: tmp_path}


READ = """
from helpers.corpora import load_corpus
found = {s: load_corpus("poems", split=s) for s in ("train", "validation", "test")}
texts = [text for corpus in found.values() for text in corpus]
print(len(texts), len(set(texts)), [corpus.duplicates for corpus in found.values()])
print(list(load_corpus("poems", split="all", limit=2)))
"""


def read_from(hub, cache):
    variables = {"HF_ENDPOINT": hub, "HF_HOME": str(cache), "PYTHONPATH": str(ROOT)}
    return run(sys.executable, "-c", READ, **variables)


def test_a_data_set_of_the_hub_is_read_as_files_are(poems, tmp_path):
    with serve(poems) as hub:
        answer = read_from(hub.url, tmp_path / "cache")
    counts, first = answer.stdout.decode().splitlines()
    assert counts == "400 400 [1, 0, 0]"
    assert first == str(TEXTS[:2])
    files = [asked for asked in hub.requests if "train.jsonl" in asked]
    assert files and answer.stderr == b""


@pytest.mark.parametrize("fault", ["silent", "portal", "broken", "unauthorised", ""])
def test_a_hub_that_fails_is_one_line_within_seconds(fault, poems, tmp_path):
    with serve(poems, fault or None) as hub:
        url = hub.url if fault else "http://127.0.0.1:9"  # where nothing listens
        begun = time.monotonic()
        said = read_from(url, tmp_path / "cache").stderr.decode().splitlines()[-1]
        assert time.monotonic() - begun < 60  # most of it to import what reads
    assert said.startswith("helpers.corpora.sources.CorpusError: poems cannot be read")
    assert said.endswith("; go online, or give a world or a file")
