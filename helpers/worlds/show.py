"""Show a text with its slip: where it leaves its world, and why."""

from html import escape
from textwrap import fill
from typing import NamedTuple

from helpers.tokens import pretokenise as words
from helpers.worlds.world import Slip, load_world

MARK = "background:#fde2bd;color:#000;border-bottom:2px solid #b30000"


class StoryView(NamedTuple):
    """A text and its first slip; a notebook marks the word, a terminal brackets it."""

    text: str
    slip: Slip | None

    def _parts(self) -> tuple[str, str, str]:
        """Return what is right, the word that is not, and the rest."""
        right = self.text[: self.slip.position]
        rest = words(self.text[self.slip.position :]) or [" (it stops here)"]
        return right, rest[0], "".join(rest[1:])

    def __repr__(self) -> str:
        """Return lines of text, ``>>word<<`` where it goes wrong, and the reason."""
        if self.slip is None:
            return fill(self.text, 88)
        right, word, rest = self._parts()
        space = " " * word.startswith(" ")
        shown = fill(f"{right}{space}>>{word.strip()}<<{rest}", 88)
        return f"{shown}\n({self.slip.reason})"

    def _repr_html_(self) -> str:
        """Return a paragraph, the word marked, and the reason in small print."""
        if self.slip is None:
            return f"<p>{escape(self.text)}</p>"
        right, word, rest = map(escape, self._parts())
        marked = f'<mark style="{MARK}">{word.strip()}</mark>'
        space = " " * word.startswith(" ")
        reason = f"<small>{escape(self.slip.reason)}</small>"
        return f"<p>{right}{space}{marked}{rest}<br>{reason}</p>"


def show_story(text: str, world: str = "stories") -> StoryView:
    """Show a text, with the first word that its world cannot write marked.

    Raises TypeError for what is no text, ValueError for a name that is no world's.
    """
    return StoryView(text, load_world(world).first_error(text))
