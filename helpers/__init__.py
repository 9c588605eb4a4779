"""Text generation with GPT-2: the package behind the course's notebooks.

One noun per file, and each file is short enough to read in one sitting.

models        load the pocket GPT-2, a GPT-2 from the hub, or a folder
hub           find a model's files: cache first, then the hub, no other model instead
tokens        text to token ids and back, and tokens made visible
bpe           byte-level BPE, trained and applied from scratch
worlds        made-up worlds whose exact probabilities are known
lexicon       the classes of words a world draws from
items         what its texts are made of: words, choices, slots
grammar       its classes and rules, compiled into items
derivations   all ways a text may have been written, stepped word by word
templates     the text in which a world is written, taken apart
execution     is a text right as Python? parsed and run, bounded
tasks         prompts with any number of shots, from the world of lists
prediction    what a model expects next: tokens, words, whole texts
evaluation    how good a model is: losses, and the share of its texts that is right
diversity     how much texts repeat themselves and one another
frontier      quality against diversity, from many stories per strategy
truth         a model's next-token distribution beside the world's true one
gpt2          GPT-2 from scratch: the engine
cache         what the engine keeps of the tokens it has read
packing       its matrices in the order in which processors multiply fastest
quantization  its matrices in one byte per weight
reading       a model that reads on, the engine or the library's
rules         what changes the next token's distribution: temperature, top-k ...
pickers       how one token is chosen: greedy, or by luck
stopping      what ends a text besides its end token and its length
searching     texts chosen as wholes: beam search, contrastive search
decoding      how distributions become a text: generate, stream, and all of the above
strategies    all of these by name: generate_text, stream_text
inputs        what decoding refuses, each with one clear line
attention     all that looks inside a GPT-2, under one name
patterns      the attention weights, and the tokens they lie between
heads         what each head looks for, as a score with its chance level
ablation      heads silenced while the model reads
patching      a part taken from another text, or a line cut
hooks         where both take hold
lens          what the model would say if it stopped after each layer
views         bertviz's pictures of attention
pages         these as documents that need no internet
costs         what silencing a head costs
memory        words that memory settles, and their rivals
counting      a GPT-2's parameters and work, part by part
parity        a model beside the reference: the first operation that differs
checkpoints   the reference's values, operation by operation
recording     what a learner's model computes while it runs
suspects      known mistakes, replayed
bench         the engine's speed beside the library's
peers         CTranslate2, to be timed beside it
pocket        how the pocket GPT-2 was made
batches       what it read: documents of the worlds, in batches
optimizers    what it was trained with: Muon and AdamW
measure       the figures in the pocket GPT-2's model card
card          the card itself
plots         every figure of the course
logs          what transformers says only in its log
widgets       explorers to play with in a notebook
checks        the checks of the exercises

And behind ``python -m helpers``, for those who mend it: command_line, environment
and packages (the course's own ``.venv``), lab (start), suite (test), generation
(generate), doctor.

Nothing is imported here, so ``import helpers`` costs nothing:
write ``from helpers.models import load_model``.
"""
