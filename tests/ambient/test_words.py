"""Words are numbered as a plain loop over the letters numbers them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.child.words import number_words


@given(st.integers(1, 4), st.integers(1, 3), st.lists(st.integers(0, 4), min_size=10, max_size=40))
@settings(max_examples=100, deadline=None)
def test_words_equal_a_plain_loop(length: int, dilation: int, codes: list[int]) -> None:
    words, known = number_words(np.array([codes], dtype=np.uint8), length, dilation)
    reach = (length - 1) * dilation
    assert words.shape == known.shape == (1, len(codes) - reach)
    assert (words.dtype, known.dtype) == (np.int64, np.bool_)
    for start in range(len(codes) - reach):
        letters = codes[start : start + reach + 1 : dilation]
        assert known[0, start] == (4 not in letters)
        if 4 not in letters:
            assert words[0, start] == int("".join(map(str, letters)), 4)
