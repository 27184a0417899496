"""What the decisions of a space offer, in words short enough for a figure."""

from __future__ import annotations

from ambient.space import Decision, Operation

__all__ = ["choice_words"]

SHORT = {
    "max_pooling": "max",
    "average_pooling": "average",
    "dropout": "drop",
    "lstm": "LSTM",
}


def choice_words(decision: Decision, token: int) -> str:
    """Name one choice of a decision; the decision's own name is read beside it.

    Returns
    -------
    str
        `16 × 8` for a convolution of 16 filters of width 8, `max 4`, `500 bp`, `0.01`; `does not apply` for -1.
    """
    if token < 0:
        return "does not apply"
    choice = decision.choices[token]
    if decision.sets == "layer":
        return _layer(choice)
    if decision.sets == "window":
        return f"{choice.parameters['window_bp']:,} bp"
    values = [_value(value) for value in choice.parameters.values()]
    if len(values) == 1:
        return values[0]
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in zip(choice.parameters, values, strict=True)
    )


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _layer(choice: Operation) -> str:
    values = dict(choice.parameters)
    if choice.kind != "convolution":
        name = SHORT.get(choice.kind, choice.kind.replace("_", " "))
        return " ".join([name, *map(_value, values.values())])
    words = f"{values['filters']} × {values['kernel']}"
    if values.get("dilation", 1) != 1:
        words += f" d{values['dilation']}"
    if values.get("activation", "relu") != "relu":
        words += f" {values['activation']}"
    return words + (" both strands" if values.get("reverse_complement") else "")
