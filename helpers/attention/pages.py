"""Pages: bertviz's HTML as one document that fetches nothing, for a notebook.

bertviz fetches d3, jQuery and require.js from the net. Here they come from installed
packages and travel with the picture, in a frame of its own that can reach neither the
notebook nor the net.
"""

import json
import re
from functools import lru_cache
from html import escape
from importlib import resources

PARAMS = re.compile(r"(?:const params|window\.bertviz_params) = ")
STAND_IN = "require={config(){}};requirejs=(names,then)=>then(jQuery,d3);"
POLICY = "default-src 'none';script-src 'unsafe-inline';style-src 'unsafe-inline'"


class View:
    """A picture for a notebook or a page; in plain text, its size.

    ``kind`` says what it shows, ``page`` is a whole HTML document, ``height`` that of
    its frame in pixels, ``note`` what the reader must know: that a text was cut.
    """

    def __init__(self, kind: str, page: str, *, height: int, note: str = ""):
        self.kind, self.page, self.height, self.note = kind, page, height, note

    @property
    def size(self) -> int:
        """Bytes that it adds to a notebook."""
        return len(self._repr_html_().encode())

    def __repr__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        return f"{self.kind}, {self.size / 1e6:.1f} MB{note}"

    def _repr_html_(self) -> str:
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return (
            f'<iframe sandbox="allow-scripts" title="{escape(self.kind)}" '
            f'style="width:100%;height:{self.height}px;border:0;background:#fff" '
            f'srcdoc="{escape(self.page)}"></iframe>{note}'
        )


def page(found: str, *, zoom: float = 1.0) -> str:
    """Return bertviz's HTML as a document that fetches nothing.

    bertviz writes its data twice, once into a comment, and as they are. Here they are
    written once, and no token can end the script, as ``</script>`` otherwise would.
    ``zoom`` makes a picture of a fixed size fit a notebook.
    """
    found = re.sub(r'<script src="https?://[^"]*"></script>', "", found)
    start = PARAMS.search(found).end()
    params, end = json.JSONDecoder().raw_decode(found, start)
    rest = found[found.index("\n", end) :]  # behind the comment
    data = json.dumps(params, separators=(",", ":")).replace("<", "\\u003c")
    scripts = "".join(f"<script>{code}</script>" for code in _libraries())
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    style = f"<style>body{{margin:0;zoom:{zoom:g}}}</style>"
    head = f'<head><meta charset="utf-8">{policy}{style}{scripts}</head>'
    body = f"<body>{found[:start]}{data};{rest}</body>"
    return f"<!DOCTYPE html><html>{head}{body}</html>"


@lru_cache
def _libraries() -> tuple[str, ...]:
    """Return jQuery, d3 5.7.0 and a stand-in for require.js, to be written inline."""
    jquery = resources.files("sphinxcontrib.jquery") / "jquery.js"
    d3 = resources.files("mpld3") / "js" / "d3.v5.min.js"
    codes = [path.read_text("utf-8") for path in (jquery, d3)]
    return (*(re.sub("</(?=script)", r"<\/", code) for code in codes), STAND_IN)
