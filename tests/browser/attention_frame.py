"""What a view of attention draws in its frame, and how it answers to the pointer."""

import time

from playwright.sync_api import FrameLocator, Locator, TimeoutError

# The lines that can be seen: their ends, colour and strength.
DRAWN = """body => {
    const lines = [];
    for (const element of body.querySelectorAll('svg line, svg path')) {
        const style = getComputedStyle(element);
        if (style.visibility !== 'visible' || style.stroke === 'none') continue;
        if (!element.getTotalLength() || !element.getClientRects().length) continue;
        let strength = Number(style.strokeOpacity);
        for (let at = element; at !== body; at = at.parentElement)
            strength *= Number(getComputedStyle(at).opacity);
        if (strength < 0.01) continue;
        const ends = ['x1', 'y1', 'x2', 'y2', 'd'].map(at => element.getAttribute(at));
        lines.push([...ends, style.stroke, strength.toFixed(2)].join(' '));
    }
    return lines;
}"""


def drawn(frame: FrameLocator) -> list[str]:
    """Return the lines that can be seen now."""
    return frame.locator("body").evaluate(DRAWN)


def drawn_when(frame: FrameLocator, right, *, seconds: float = 60) -> list[str]:
    """Return the lines as soon as they are right, or else those seen last."""
    end = time.monotonic() + seconds
    while not right(lines := drawn(frame)) and time.monotonic() < end:
        time.sleep(0.1)
    return lines


def drawn_under(token: Locator, frame: FrameLocator, seen: list) -> list[str]:
    """Return the lines that can be seen while the pointer is on a token.

    Lines that were seen before do not count, since those of a token that the pointer
    has left come back without help. Cells above that are still being laid out may push
    the token from under the pointer, so it comes again, up to six times; and a frame
    that was loaded anew has shut its details.
    """
    lines = seen[-1]
    for _ in range(6):
        token.page.mouse.move(0, 0)
        try:
            token.hover(timeout=15_000)
        except TimeoutError:
            tokens(frame)
            continue
        lines = drawn_when(frame, lambda now: now not in seen, seconds=10)
        if lines not in seen:
            break
    return lines


def tokens(frame: FrameLocator) -> Locator:
    """Return the tokens on the left, those that look at others.

    The model view has them in its details only, which a click on a head opens.
    """
    if frame.locator(".attn_background").count():
        frame.locator("svg > g > rect:last-child").first.click()
        return frame.locator("g.detail").first.locator(".token")
    return frame.locator("#left text:visible, #leftText text:visible")
