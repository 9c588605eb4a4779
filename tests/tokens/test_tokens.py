"""Our byte-level BPE against the library's: symbols, pieces, merges, ids, texts."""

import json
import random
import unicodedata
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Tokenizer

from helpers.tokens import bpe, documents, show
from helpers.tokens import byte_level as tokens

PAGE = """\
The baker's wife had a goose, and the goose had opinions. "It's raining," said the
baker. The goose looked at the rain and then at the baker. "We'll go anyway," said
the goose's face, and so they went, the three of them, to the market in the rain.

At the market there were 12 stalls, 3 of them open: a stall of cheeses, a stall of
shawls and a stall of other geese. The goose would not look at the other geese. The
baker's wife bought a shawl, the baker bought a cheese for $2.50, and the goose, who
had no money, bought nothing; but it was the goose who found the gold coin in the
gutter, and it was the goose who would not let go of it all the way home.
"""
CODE = 'def f(x):\n\treturn {"a": [1, 22, 333]}  # it\'s 100% <b>\r\n\n\n    pass\n'
ODD = [
    *("", " ", "  ", "\n", " \n ", "a  b   c", "Tom's we'll I'M 'sa '", "_x__y"),
    *("½²³ Ⅷ7٣", "🙂 🇩🇪", "naïve nai\u0308ve", "猫在老树下", "नमस्ते", CODE, PAGE),
    *("👩\u200d👩\u200d👧\u200d👦", "\x00\x1c\x1f\x7f\x85\xa0\u2028\u3000x"),
    *("<|endoftext|>", "a<|endoftext|> b<|endoftext|>", "<|endoftext"),
]
# Python's Unicode and the library's may differ in age: test what both know.
KNOWN = st.text(st.characters(exclude_categories=["Cs", "Cn"]))
SIMPLE = {"max_examples": 300, "deadline": None, "derandomize": True, "database": None}


@pytest.fixture(scope="module")
def ours(tokenizer):
    """Our tokenizer with the pocket model's merges and vocabulary."""
    return tokens.BPE.from_hf(tokenizer)


def test_byte_symbols_are_the_librarys():
    symbols = tokens.byte_symbols()
    assert sorted(symbols) == list(range(256))
    assert set(symbols.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for text in map(chr, [*range(0x800), 0x20AC, 0x1F642]):
        assert tokens.to_symbols(text) == splitter.pre_tokenize_str(text)[0][0]


def test_symbols_go_back_to_bytes():
    everything = "".join(tokens.byte_symbols()[byte] for byte in range(256))
    assert tokens.to_bytes(everything) == bytes(range(256))
    assert tokens.to_bytes("<two words>") == b"<two words>"


def library_pieces(text):
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return [text[a:b] for _, (a, b) in splitter.pre_tokenize_str(text)]


def test_pieces_for_every_character_are_the_librarys():
    every = map(chr, range(0x110000))
    assigned = [c for c in every if unicodedata.category(c)[0] != "C"]
    for start in range(0, len(assigned), 5000):
        text = "".join(f"{c} {c}a{c}1" for c in assigned[start : start + 5000])
        assert tokens.pretokenise(text) == library_pieces(text)


@settings(**SIMPLE)
@given(KNOWN | st.text(alphabet="a1 .'s\n\té½_🙂"))
def test_pieces_are_the_librarys(text):
    assert tokens.pretokenise(text) == library_pieces(text)
    assert "".join(tokens.pretokenise(text)) == text


def test_counting_and_merging_pairs():
    counts = bpe.count_pairs({("a", "a", "a"): 2, ("a", "b"): 3, ("c",): 9})
    assert counts == {("a", "a"): 4, ("a", "b"): 3}
    assert bpe.merge_pair("aaabaa", ("a", "a")) == ["aa", "a", "b", "aa"]
    assert bpe.merge_pair(["ab", "c", "a", "bc"], ("ab", "c")) == ["abc", "a", "bc"]
    assert bpe.merge_words({("a", "b"): 2, ("ab",): 3}, ("a", "b")) == {("ab",): 5}


def test_training_stops_when_all_words_are_whole():
    assert tokens.train_bpe("ab ab", 99) == [("a", "b"), ("Ġ", "ab")]
    assert tokens.train_bpe("", 5) == tokens.train_bpe("a b", 0) == []


def library_merges(text, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    options = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)
    tokenizer.train_from_iterator([text], trainer)
    found = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(pair) for pair in found]


@pytest.mark.parametrize("text", [PAGE, CODE, "🙂🙃🙂 naïve naïf ½ 猫", "the ten hens"])
def test_training_finds_the_librarys_merges(text):
    merges = library_merges(text, 256 + 400)
    assert len(merges) > 5
    assert tokens.train_bpe(text, len(merges)) == merges


@settings(**SIMPLE)
@given(st.text(alphabet="abc ", max_size=60))
def test_training_breaks_ties_as_the_library_does(text):
    merges = library_merges(text, 256 + 40)
    assert tokens.train_bpe(text, len(merges)) == merges


def random_texts(n, seed=0):
    """Bytes at random, cut-up pages with noise, and characters from all of Unicode."""
    draw = random.Random(seed)
    known = [chr(i) for i in range(0x30000) if unicodedata.category(chr(i))[0] != "C"]
    for _ in range(n):
        start = draw.randrange(len(PAGE))
        page = list(PAGE[start : start + draw.randrange(80)])
        for _ in range(draw.randrange(4)):
            page.insert(draw.randrange(len(page) + 1), draw.choice(" \n'é猫🙂7_<\x00"))
        yield "".join(page)
        yield draw.randbytes(draw.randrange(30)).decode("latin-1")
        yield "".join(draw.choices(known, k=8))


def test_ids_and_texts_are_the_librarys(ours, tokenizer):
    for text in [*ODD, "".join(map(chr, range(0x180))), *random_texts(1000)]:
        ids = ours.encode(text)
        assert ids == tokenizer.encode(text)
        assert ours.convert_ids_to_tokens(ids) == tokenizer.convert_ids_to_tokens(ids)
        assert ours.decode(ids) == text


def test_gpt2s_own_ids_and_texts_are_the_librarys():
    gpt2 = tokens.BPE.gpt2()
    assert gpt2.encode("Hello world<|endoftext|>") == [15496, 995, 50256]
    library = GPT2Tokenizer(vocab=gpt2.vocab, merges=[*gpt2.ranks])
    for text in [*ODD, " SolidGoldMagikarp 380 381 strawberry", *random_texts(300)]:
        assert gpt2.encode(text) == library.encode(text)
        assert gpt2.decode(gpt2.encode(text)) == text


@settings(**SIMPLE)
@given(KNOWN)
def test_decoding_undoes_encoding(ours, tokenizer, text):
    assert ours.decode(ours.encode(text)) == text
    assert ours.encode(text) == tokenizer.encode(text)


def test_any_ids_decode_as_in_the_library(ours, tokenizer):
    draw = random.Random(1)
    for n in range(500):
        ids = draw.choices(range(len(tokenizer)), k=n % 12)
        assert ours.decode(ids) == tokenizer.decode(ids)


def test_an_id_outside_the_vocabulary_is_named():
    with pytest.raises(ValueError, match=r"^no token has the id 257: ids go to 256$"):
        tokens.BPE([]).decode([64, 257])


def test_a_tokenizer_of_our_own_encodes_like_the_library():
    merges = tokens.train_bpe(PAGE, 100)
    ours = tokens.BPE(merges)
    theirs = Tokenizer(models.BPE(ours.vocab, merges))
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = decoders.ByteLevel()
    for text in [PAGE, CODE, "The hen's 12 kites 🙂"]:
        assert ours.encode(text) == theirs.encode(text).ids
    assert len(ours.vocab) == 256 + 100 + 1
    assert ours.encode(tokens.END) == [356]


def test_ranks_decide_and_not_length_nor_place():
    merges = [("b", "c"), ("a", "b"), ("ab", "c")]
    assert bpe.apply_bpe("abc", merges) == ["a", "bc"]
    assert bpe.apply_bpe("", merges) == []


def test_a_table_of_tokens(ours, tokenizer):
    rows = show.token_table(" Tom 🙂", tokenizer)
    assert rows == show.token_table(" Tom 🙂", ours)
    assert b"".join(row.bytes for row in rows).decode() == " Tom 🙂"
    assert rows[0]._fields == ("id", "token", "bytes")


def test_tokens_are_shown_with_nothing_hidden():
    small = tokens.BPE([("Ġ", "b")])
    view = show.show_tokens("a b\n<é>", small)
    assert repr(view) == "7 tokens: |a|·b|↵|<|<C3>|<A9>|>|"
    page = view._repr_html_()
    assert "&lt;C3&gt;" in page and "<C3>" not in page
    assert page.count('role="listitem"') == 7 and 'aria-label="7 tokens"' in page
    with_ids = show.show_tokens("ab", small, ids=True)
    assert repr(with_ids) == "2 tokens: |a 64|b 65|"
    assert "<small>64</small>" in with_ids._repr_html_()


def test_a_huge_text_is_cut_and_says_so():
    view = show.show_tokens("a" * 5000, tokens.BPE([]))
    page = view._repr_html_()
    assert page.count("listitem") == show.MOST and len(page) < 400_000
    assert "… and 3,000 more tokens" in page
    assert repr(view).startswith("5000 tokens: |a|a")
    assert repr(view).endswith("3,000 more tokens")


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "got NoneType"), (7, "got int"), (b"a", "got bytes"), (["a"], "got list")]
    + [("ab\udc80", r"character 2, '\\udc80', is half of a pair")],
)
def test_what_is_no_text_is_told(tokenizer, text, message):
    read = [tokens.BPE([]).encode, partial(tokens.train_bpe, n_merges=1)]
    for view in (show.show_tokens, show.token_table):
        read.append(partial(view, tokenizer=tokenizer))
    for ids in (documents.document_ids, documents.word_starts):
        read.append(partial(ids, tokenizer))
    for function in read:
        with pytest.raises(ValueError, match=message):
            function(text)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tokens.BPE("ab"), r"expected merges as pairs of symbols, got \('a'"),
        (lambda: tokens.train_bpe("a", 1.5), "n_merges is 1.5, expected a whole numbe"),
    ],
)
def test_what_are_no_merges_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
