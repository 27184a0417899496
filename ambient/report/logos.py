"""Sequence logos as inline SVG: letters from logomaker, heights in bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ambient.report.markup import Html, fragment, tag

__all__ = ["information_bits", "letter_outlines", "logo"]

LETTERS = "ACGT"
# The convention of the field, darkened until G is legible on white paper.
COLOURS = {"A": "#2a8a3e", "C": "#2457a6", "G": "#d98e04", "T": "#c4342d"}
SMALLEST_BITS = 0.02  # a lower letter would be thinner than a line
COLUMN, HEIGHT = 22.0, 34.0  # drawing units of one position, and of one bit
LEFT, TOP, BOTTOM = 40.0, 6.0, 18.0  # room for the axis, above the tallest letter, below the logo


def information_bits(probabilities: np.ndarray) -> np.ndarray:
    """Give the height of each letter in bits.

    Parameters
    ----------
    probabilities : ndarray, shape (length, 4)
        Probability of A, C, G, T at each position; a row need not sum to one exactly.

    Returns
    -------
    ndarray, float64, shape (length, 4)
        In [0, 2]: p * (2 - entropy of the position), against a uniform background.

    Source
    ------
    Schneider and Stephens (1990), without the small-sample correction.
    """
    matrix = np.clip(np.asarray(probabilities, dtype=np.float64), 0.0, None)
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    bits: np.ndarray = shares * (2.0 + (shares * logs).sum(axis=1, keepdims=True))
    return np.clip(bits, 0.0, 2.0)


@cache
def _outline(letter: str) -> str:
    """Give logomaker's outline of a letter as an SVG path over the unit square, y upwards."""
    import logomaker
    from matplotlib.figure import Figure
    from matplotlib.path import Path as Outline

    axes = Figure().add_subplot()
    patch = logomaker.Glyph(
        0.5, letter, floor=0, ceiling=1, width=1, vpad=0, font_name="DejaVu Sans", ax=axes
    ).patch
    words = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
    path = patch.get_path()
    parts = []
    for points, code in path.iter_segments(simplify=False, curves=True):
        if code == Outline.CLOSEPOLY:
            parts.append("Z")
        else:
            parts.append(words[code] + " ".join(f"{value:.4g}" for value in points))
    return "".join(parts)


def letter_outlines() -> Html:
    """Give the hidden SVG that holds the four letters once; every logo of the page refers to it."""
    symbols = [
        tag("path", id=f"letter-{letter}", d=_outline(letter), fill=COLOURS[letter])
        for letter in LETTERS
    ]
    return tag(
        "svg", tag("defs", *symbols), width=0, height=0, class_="outlines", aria_hidden="true"
    )


def logo(probabilities: np.ndarray | Sequence[Sequence[float]], label: str) -> Html:
    """Draw one motif.

    Parameters
    ----------
    probabilities : array, shape (length, 4)
        Probability of A, C, G, T at each position.
    label : str
        What a screen reader says.

    Returns
    -------
    Html
        An SVG element; its letters come from `letter_outlines`.
    """
    bits = information_bits(np.asarray(probabilities, dtype=np.float64))
    length = len(bits)
    base = TOP + 2 * HEIGHT
    width, height = LEFT + COLUMN * length + 4, base + BOTTOM
    drawn: list[Html] = [tag("title", label)]
    for level in (0, 1, 2):
        y = base - level * HEIGHT
        drawn.append(tag("path", d=f"M{LEFT - 4} {y}H{LEFT}", class_="axis"))
        drawn.append(tag("text", level, x=LEFT - 7, y=y + 3.5, text_anchor="end"))
    drawn.append(tag("path", d=f"M{LEFT} {TOP}V{base}H{width - 4}", class_="axis"))
    middle = TOP + HEIGHT
    drawn.append(
        tag(
            "text",
            "bits",
            x=12,
            y=middle,
            text_anchor="middle",
            transform=f"rotate(-90 12 {middle})",
        )
    )
    for position, heights in enumerate(bits):
        x = LEFT + COLUMN * position
        bottom = 0.0
        for index in np.argsort(heights, kind="stable"):
            tall = float(heights[index])
            if tall >= SMALLEST_BITS:
                y = base - bottom * HEIGHT
                scale = (
                    f"translate({x + 1:.4g} {y:.5g}) scale({COLUMN - 2:.4g} {-tall * HEIGHT:.5g})"
                )
                drawn.append(tag("use", href=f"#letter-{LETTERS[index]}", transform=scale))
            bottom += tall
        drawn.append(tag("text", position + 1, x=x + COLUMN / 2, y=base + 12, text_anchor="middle"))
    return tag(
        "svg",
        fragment(*drawn),
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        class_="logo",
        role="img",
    )
