"""Text generation with GPT-2: the package behind the course's notebooks.

One noun per file, and each file is short enough to read in one sitting.

models        load the pocket GPT-2, a GPT-2 from the hub, or a folder
tokens        text to token ids and back, and tokens made visible
worlds        made-up worlds whose exact probabilities are known
pocket        how the pocket GPT-2 was made
measure       the figures in the pocket GPT-2's model card
plots         every figure of the course
checks        the checks of the exercises
command_line  ``python -m helpers``: start, test, generate and the rest
environment   the course's own Python environment, ``.venv``
doctor        what is installed, what is missing, how to mend it

Nothing is imported here, so ``import helpers`` costs nothing:
write ``from helpers.models import load_model``.
"""
