"""A fitted model as a folder that outlives this package: plain torch source and its weights."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from ambient.child import layers
from ambient.child.wiring import INPUT, Wired
from ambient.errors import InputError
from ambient.files import write_atomic

__all__ = ["export_model"]

_OWN_LAYERS = tuple(getattr(layers, name) for name in layers.__all__)
_WIDTH = 100  # of a line of source


def export_model(
    members: nn.Module | Sequence[nn.Module],
    folder: str | Path,
    window_bp: int,
    *,
    labels: Sequence[str] = (),
    both_strands: bool = True,
    title: str = "A sequence model",
) -> Path:
    """Write ``model.py`` and ``weights.safetensors``, which need torch and safetensors alone.

    Parameters
    ----------
    members : torch.nn.Module or sequence of them
        What `ambient.child.build.build` gives, trained; the logits of several are averaged. All of
        one architecture.
    folder : path
        Made where it is absent; files of these two names are replaced.
    window_bp : int
        Length of the input in base pairs.
    labels : sequence of str
        A name for each output; ``label 0``, ... if not given.
    both_strands : bool
        Whether predictions average the logits of a window and of its reverse complement.
    title : str
        One line about the model, for the reader of the source.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        There is no member, the members differ in shape, or labels and outputs differ in number.
    """
    members = [members] if isinstance(members, nn.Module) else list(members)
    if not members:
        raise InputError("export: found no member where at least one was needed; fit one first")
    source, outputs = _network_source(members[0], window_bp)
    for number, member in enumerate(members[1:], start=1):
        if _network_source(member, window_bp) != (source, outputs):
            raise InputError(
                f"export: found member {number} built otherwise than member 0 where all of one "
                "architecture were needed; export each architecture into its own folder"
            )
    labels = list(labels) or [f"label {number}" for number in range(outputs)]
    if len(labels) != outputs:
        raise InputError(
            f"export: found {len(labels)} labels for {outputs} outputs; give one for each output"
        )
    weights = {
        f"{number}.{name}": tensor.detach().cpu().contiguous().clone()
        for number, member in enumerate(members)
        for name, tensor in member.state_dict().items()
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "weights.safetensors", save(weights))
    own = {type(part) for part in members[0].modules()} & set(_OWN_LAYERS)
    definitions = "\n\n".join(inspect.getsource(kind) + "\n" for kind in _OWN_LAYERS if kind in own)
    title = " ".join(title.split()).replace("\\", "/").replace('"', "'")
    text = _TEMPLATE.format(
        title="\n".join(textwrap.wrap(title, 96)),
        window_bp=window_bp,
        labels=json.dumps(labels),
        members=len(members),
        both_strands=both_strands,
        functional="from torch.nn import functional\n" if "functional." in definitions else "",
        layers=definitions,
        network=source,
    )
    write_atomic(folder / "model.py", re.sub(r"\n{4,}", "\n\n\n", text))
    return folder


def _network_source(member: nn.Module, window_bp: int) -> tuple[str, int]:
    """Write the class of one network, shapes as comments; give it and how many outputs it has."""
    first = next(member.parameters())
    x = torch.zeros(1, 4, window_bp, device=first.device, dtype=first.dtype)
    modes = {part: part.training for part in member.modules()}
    sources = member.sources if isinstance(member, Wired) else {}
    kept = {
        source: x for names in sources.values() for source in names
    }  # outputs that are used again
    made = []
    passed = [f"        {INPUT} = x"] if INPUT in kept else []
    try:
        member.eval()
        with torch.no_grad():
            for name, part in member.named_children():
                more = sources.get(name, ())
                x = part(x, *(kept[source] for source in more))
                made.append(_wrapped(f"self.{name} = ", _constructor(part)))
                shape = ", ".join(["batch", *map(str, x.shape[1:])])
                passed.append(
                    _wrapped("x = ", f"self.{name}({', '.join(['x', *more])})", f"  # ({shape})")
                )
                if name in kept:
                    kept[name] = x
                    passed.append(f"        {name} = x")
    finally:
        for part, mode in modes.items():
            part.training = mode
    text = "\n".join(
        [
            "class Network(nn.Module):",
            f'    """One-hot DNA, (batch, 4, {window_bp}), to logits, (batch, {x.shape[1]})."""',
            "",
            "    def __init__(self) -> None:",
            "        super().__init__()",
            *made,
            "",
            "    def forward(self, x: Tensor) -> Tensor:",
            *passed,
            "        return x",
        ]
    )
    return text, x.shape[1]


def _wrapped(start: str, call: str, end: str = "") -> str:
    """Write an indented statement, the arguments of its call on lines of their own where it is too long."""
    line = f"        {start}{call}{end}"
    if len(line) <= _WIDTH:
        return line
    name, arguments = call[:-1].split("(", 1)
    lines = textwrap.wrap(arguments, _WIDTH - 12, break_long_words=False, break_on_hyphens=False)
    body = "\n".join(f"            {line}" for line in lines)
    return f"        {start}{name}(\n{body}\n        ){end}"


def _constructor(part: nn.Module) -> str:
    """Write the expression that makes a module of this kind and shape."""
    name = type(part).__name__
    if isinstance(part, nn.Conv1d):
        arguments = [part.in_channels, part.out_channels, f"kernel_size={part.kernel_size[0]}"]
        for word, value in (("padding", part.padding[0]), ("dilation", part.dilation[0])):
            arguments.append(f"{word}={value}")
        arguments.append(f"bias={part.bias is not None}")
    elif isinstance(part, nn.ConstantPad1d):
        arguments = [tuple(part.padding), part.value]
    elif isinstance(part, nn.BatchNorm1d):
        arguments = [part.num_features]
    elif isinstance(part, nn.MaxPool1d | nn.AvgPool1d):
        size = part.kernel_size
        arguments = [size[0] if isinstance(size, tuple) else size]
    elif isinstance(part, nn.Dropout):
        arguments = [part.p]
    elif isinstance(part, nn.Linear):
        arguments = [part.in_features, part.out_features]
    elif isinstance(part, layers.BothStrands):
        filters, _, kernel = part.weight.shape
        arguments = [filters, kernel, part.dilation, part.bias is not None]
    elif isinstance(part, layers.AttentionPooling):
        arguments = [part.score.in_channels]
    elif isinstance(part, layers.LastState):
        arguments = [part.lstm.input_size, part.lstm.hidden_size]
    elif isinstance(part, layers.SlidingMax | layers.SlidingAverage):
        arguments = [part.size]
    elif isinstance(part, layers.Projection):
        mixed = part.convolution
        arguments = [mixed.in_channels, mixed.out_channels, part.size]
    elif isinstance(part, layers.Merge):
        arguments = [_constructor(projection) for projection in part.projections]
    elif isinstance(part, (nn.ReLU, nn.Flatten, nn.Identity, *_OWN_LAYERS)):
        arguments = []
    else:
        raise TypeError(f"build() made a {name}, which export cannot write")
    prefix = "" if type(part) in _OWN_LAYERS else "nn."
    return f"{prefix}{name}({', '.join(map(str, arguments))})"


_TEMPLATE = '''"""{title}

Written by ambient; needs torch and safetensors alone. The weights lie beside it.

    import model
    network = model.load()
    probabilities = model.predict(network, ["ACGT..."])  # windows of {window_bp} bases
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
{functional}
WINDOW_BP = {window_bp}  # length of the input
LABELS = {labels}  # one for each output
MEMBERS = {members}  # networks whose logits are averaged
BOTH_STRANDS = {both_strands}  # predictions average a window and its reverse complement


{layers}

{network}


def load(folder: str | Path | None = None, device: str = "cpu") -> nn.ModuleList:
    """Give the trained networks, ready to predict.

    `folder` holds weights.safetensors; the folder of this file if it is not given.
    """
    folder = Path(__file__).resolve().parent if folder is None else Path(folder)
    networks = nn.ModuleList(Network() for _ in range(MEMBERS))
    networks.load_state_dict(load_file(folder / "weights.safetensors"))
    return networks.to(device).eval()


def one_hot(sequences: Sequence[str]) -> Tensor:
    """Give (sequences, 4, WINDOW_BP); U is T, any other letter but A, C, G, T is all zeros."""
    for number, sequence in enumerate(sequences):
        if len(sequence) != WINDOW_BP:
            raise ValueError(
                f"sequence {{number}} has {{len(sequence)}} bases where {{WINDOW_BP}} were needed"
            )
    letters = "".join(sequences).encode("ascii", "replace").upper().replace(b"U", b"T")
    coded = torch.tensor(list(letters), dtype=torch.uint8).reshape(-1, 1, WINDOW_BP)
    return (coded == torch.tensor(list(b"ACGT"), dtype=torch.uint8)[:, None]).float()


def predict(
    networks: nn.ModuleList,
    sequences: Sequence[str],
    both_strands: bool = BOTH_STRANDS,
    batch_size: int = 256,
) -> Tensor:
    """Give probabilities, float32, shape (sequences, labels), in [0, 1]."""
    device = next(networks.parameters()).device
    parts = [torch.zeros(0, len(LABELS))]
    networks.eval()
    with torch.no_grad():
        for start in range(0, len(sequences), batch_size):
            x = one_hot(sequences[start : start + batch_size]).to(device)
            strands = [x, x.flip(1, 2)] if both_strands else [x]
            logits = [network(strand) for network in networks for strand in strands]
            parts.append(torch.sigmoid(torch.stack(logits).mean(dim=0)).float().cpu())
    return torch.cat(parts)
'''
