"""Sources of documents: the worlds, data sets of the hub, files of one's own.

All of them are read as they are asked for, so that none need fit into memory; data
sets of the hub by ``datasets``. Every failure is a CorpusError of one line.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from helpers.models import ask_hub
from helpers.options import UsageError
from helpers.worlds import END, FRESH, load_world

WORLDS = ("stories", "verse", "code", "lists")
PART = 1_000_000  # characters: longer documents of a text file come in parts
LONGEST = 50_000_000  # characters of a row of a .csv or .jsonl, which is read whole


@dataclass(frozen=True)
class DataSet:
    """A data set of the hub: where it is, and which column holds the text."""

    repository: str
    column: str
    subset: str | None = None
    splits: tuple[str, ...] = ()  # its own; none if it has only train
    most: int | None = None  # documents, unless more are asked for
    joined: bool = False  # whether its documents are parts of one text


HUB = {
    "wikitext-2": DataSet(
        "Salesforce/wikitext",
        "text",
        "wikitext-2-raw-v1",
        ("train", "validation", "test"),
        joined=True,
    ),
    "openwebtext": DataSet("Skylion007/openwebtext", "text", most=10_000),
    "poems": DataSet("suayptalha/Poetry-Foundation-Poems", "Poem"),
    "python-code": DataSet("codeparrot/codeparrot-clean-valid", "content"),
    "tinystories": DataSet(
        "roneneldan/TinyStories", "text", splits=("train", "validation"), most=10_000
    ),
}
KNOWN = f"a world ({', '.join(WORLDS)}), one of the hub's ({', '.join(HUB)}) or a file"


class CorpusError(UsageError, ValueError):
    """A corpus that cannot be read; the message is one line that says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the line alone."""
        return [f"CorpusError: {self}"]


@dataclass
class Source:
    """Where documents come from; ``read(split)`` yields them; ``splits``: its own."""

    name: str
    read: Callable[[str], Iterator[str]]
    splits: tuple[str, ...] = ()
    most: int | None = None  # documents, unless more are asked for
    joined: bool = False  # whether its documents are parts of one text


def find_source(name: str, column: str = "") -> Source:
    """Return the source of a name or a path; CorpusError if there is none."""
    if not isinstance(name, str) or not name.strip():
        raise CorpusError(f"expected the name of a corpus, got {name!r:.40}: {KNOWN}")
    if name in WORLDS:
        return Source(name, partial(_world, name), most=1_000)
    if name in HUB:
        own = HUB[name]
        return Source(name, partial(_hub, name), own.splits, own.most, own.joined)
    path = Path(name).expanduser()
    if not path.exists():
        raise CorpusError(f"there is no corpus named {name!r:.80}: expected {KNOWN}")
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        files = [file for file in files if not file.name.startswith(".")]
        if not files:
            raise CorpusError(f"the folder {name!r:.80} has no files in it")
        return Source(name, lambda _: (text for file in files for text in _text(file)))
    readers = {".csv": _csv, ".jsonl": _jsonl}
    if reader := readers.get(path.suffix.lower()):
        return Source(name, lambda _: reader(path, column))
    return Source(name, lambda _: _text(path))


def _world(name: str, split: str) -> Iterator[str]:
    world = load_world(name)
    # Never read in pre-training; and training has seeds that no measure draws from.
    yield from map(world.sample, count(2 * FRESH if split == "train" else FRESH))


def _hub(name: str, split: str) -> Iterator[str]:
    from datasets import load_dataset  # here: it takes seconds, and worlds need it not

    own = HUB[name]
    with _told(name):
        ask_hub(own.repository, kind="dataset")
        rows = load_dataset(
            own.repository,
            own.subset,
            split=split if own.splits else "train",
            streaming=True,
        )
        rows = iter(rows.select_columns([own.column]))
    texts = (row[own.column] or "" for row in _while_told(name, rows))
    yield from _articles(texts) if name == "wikitext-2" else texts


def _articles(lines: Iterable[str]) -> Iterator[str]:
    """Join lines to articles: each begins with its title, ` = Title = `.

    Joined to one text, articles are the lines with two line ends between them, as
    perplexity is usually measured on them (though most lines have a line end already).
    """
    article = []
    for line in lines:
        title = (
            re.fullmatch(r" = [^=].*[^=] = \n?", line)
            and not "".join(article[-1:]).strip()
        )
        if title and any(map(str.strip, article)):
            yield "\n\n".join([*article, ""])
            article = []
        article.append(line)
    yield "\n\n".join(article)


def _text(path: Path) -> Iterator[str]:
    """Yield what stands between lines of ``<|endoftext|>``, long ones in parts."""
    text = ""
    with _told(path), path.open(encoding="utf-8-sig") as file:
        while piece := file.read(PART):
            *done, text = (text + piece).split(END)
            yield from (one.strip("\n") for one in done)
            while len(text) > 2 * PART:
                end = _good_end(text)
                yield text[:end]
                text = text[end:]
    yield text.strip("\n")


def _good_end(text: str) -> int:
    """Return where a part of a long text ends: behind a paragraph, a line or a word."""
    for mark in ("\n\n", "\n", " "):
        if (end := text.rfind(mark, PART // 2, PART)) > 0:
            return end
    return PART


def _csv(path: Path, column: str) -> Iterator[str]:
    csv.field_size_limit(LONGEST)
    with _told(path), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(_lines(path, file))
        name = _column(path, column, rows.fieldnames or [])
        for row in rows:
            yield row[name] or ""


def _jsonl(path: Path, column: str) -> Iterator[str]:
    with _told(path), path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(filter(str.strip, _lines(path, file)), 1):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise CorpusError(
                    f"{path}: row {number} is no object {{…}}: {row!r:.40}"
                )
            text = row.get(_column(path, column, list(row)))
            if text is not None and not isinstance(text, str):
                came = type(text).__name__
                raise CorpusError(f"{path}: row {number} holds {came}, expected text")
            yield text or ""


def _lines(path: Path, file) -> Iterator[str]:
    """Yield the lines of a file, none of them enormous."""
    while line := file.readline(LONGEST):
        if len(line) == LONGEST:
            what = f"a line is longer than {LONGEST:,} characters"
            raise CorpusError(f"{path}: {what}: give one document a row, or a .txt")
        yield line


def _column(path: Path, column: str, names: list[str]) -> str:
    """Return the name of the column with the text: as asked for, or the only one."""
    if column in names or (not column and len(names) == 1):
        return column or names[0]
    have = f"its columns are {', '.join(names)}" if names else "it has no columns"
    wanted = f"there is no column {column!r}" if column else "say which holds the text"
    raise CorpusError(f"{path}: {wanted}; {have}")


def _while_told(name, rows: Iterator) -> Iterator:
    """Yield rows; what the library raises in between is told in one line."""
    while True:
        with _told(name):
            row = next(rows, None)
        if row is None:
            return
        yield row


@contextmanager
def _told(name) -> Iterator[None]:
    try:
        yield
    except (CorpusError, GeneratorExit):
        raise
    except UnicodeDecodeError as error:
        byte = f"{error.object[error.start]:#04x}"
        line = f"{name} is no UTF-8 text (it has the byte {byte} where none may be)"
        raise CorpusError(f"{line}: save it as UTF-8") from None
    except Exception as error:  # whatever disk, network and library raise
        reason = " ".join(str(error).split()) or type(error).__name__
        if name in HUB:
            line = f"{name} cannot be read from the hub ({reason:.120})"
            raise CorpusError(f"{line}; go online, or give a world or a file") from None
        raise CorpusError(f"{name} cannot be read ({reason:.160})") from None
