"""An exported model runs where ambient is not installed, and says the same."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ambient.child.export import export_model
from ambient.errors import InputError
from ambient.space import Architecture, SearchSpace, named_space

torch.set_num_threads(1)

# The folder of the model, then a file of one-hot windows: prints nothing, writes logits and
# probabilities. Any import of ambient or descriptors fails.
ALONE = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ambient", "descriptors", "pretrained"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocker())
folder, sequences, result = sys.argv[1:]
sys.path.insert(0, folder)
import torch
torch.set_num_threads(1)
import model
from safetensors.torch import save_file
read = open(sequences).read().split()
networks = model.load()
with torch.no_grad():
    logits = torch.stack([network(model.one_hot(read)) for network in networks])
save_file({"logits": logits, "probabilities": model.predict(networks, read)}, result)
assert not [name for name in sys.modules if name.split(".")[0] in ("ambient", "descriptors")]
"""


def fitted(architecture: Architecture, outputs: int = 1, seed: int = 0) -> torch.nn.Module:
    """A network whose weights and running statistics are not those of a new one."""
    torch.manual_seed(seed)
    module = architecture.build(200, outputs).train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(8, 4, 200))
    return module.eval()


def sequences(count: int, length: int = 200) -> list[str]:
    letters = np.random.default_rng(1).choice(list("ACGTacgtN"), (count, length))
    return ["".join(row) for row in letters]


def one_hot(texts: list[str]) -> torch.Tensor:
    """A plain loop."""
    x = torch.zeros(len(texts), 4, len(texts[0]))
    for i, text in enumerate(texts):
        for j, letter in enumerate(text.upper()):
            if letter in "ACGT":
                x[i, "ACGT".index(letter), j] = 1
    return x


def imported(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return named_space("ambient-plus")


def test_an_ensemble_says_the_same_in_a_process_without_ambient(
    space: SearchSpace, tmp_path: Path
) -> None:
    generator = np.random.default_rng(2)
    architecture = space.sample(generator)
    while "both strands" not in architecture.summary() or "lstm" not in architecture.summary():
        architecture = space.sample(generator)
    members = [fitted(architecture, 2, seed) for seed in (0, 1)]
    folder = export_model(members, tmp_path / "model", 200, labels=["a", 'b "quoted"'])
    texts = sequences(5)
    (tmp_path / "sequences.txt").write_text("\n".join(texts))
    result = tmp_path / "result.safetensors"
    subprocess.run(
        [sys.executable, "-c", ALONE, str(folder), str(tmp_path / "sequences.txt"), str(result)],
        check=True,
        cwd=tmp_path,
    )
    said, x = load_file(result), one_hot(texts)
    with torch.no_grad():
        logits = torch.stack([member(x) for member in members])
        turned = torch.stack([member(x.flip(1, 2)) for member in members])
    torch.testing.assert_close(said["logits"], logits, atol=1e-6, rtol=1e-6)
    expected = torch.sigmoid(torch.cat([logits, turned]).mean(0))
    torch.testing.assert_close(said["probabilities"], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["ambient-10", "ambient-plus"])
def test_every_kind_of_layer_is_exported(name: str, tmp_path: Path) -> None:
    space = named_space(name)
    generator = np.random.default_rng(3)
    wanted = {(i, t) for i, d in enumerate(space.decisions) for t in range(len(d.choices))}
    x = one_hot(sequences(2))
    while wanted:
        architecture = space.sample(generator)
        if not wanted & set(enumerate(architecture.tokens)):
            continue
        wanted -= set(enumerate(architecture.tokens))
        module = fitted(architecture)
        model = imported(export_model(module, tmp_path, 200, title=architecture.summary()))
        (network,) = model.load()
        with torch.no_grad():
            torch.testing.assert_close(network(x), module(x), atol=1e-6, rtol=1e-6)
        assert dict(network.named_children()).keys() == dict(module.named_children()).keys()
        assert str(network)[len("Network") :] == str(module)[len("Sequential") :]


def test_the_source_is_plain_and_names_no_package_of_ours(
    space: SearchSpace, tmp_path: Path
) -> None:
    module = fitted(space.sample(np.random.default_rng(0)))
    title = 'odd """ title \\ with {braces} and\nlines'
    source = (export_model(module, tmp_path, 200, title=title) / "model.py").read_text()
    packages = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            packages.add(str(node.module).split(".")[0])
    assert packages == {"__future__", "collections", "pathlib", "torch", "safetensors"}
    assert "{braces} and lines" in source
    assert max(map(len, source.splitlines())) <= 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.py", "weights.safetensors"]


def test_predictions_on_one_strand_are_those_of_the_network(
    space: SearchSpace, tmp_path: Path
) -> None:
    module = fitted(space.sample(np.random.default_rng(0)))
    model = imported(export_model(module, tmp_path, 200, both_strands=False))
    texts = sequences(5)
    networks = model.load(tmp_path)
    assert not networks.training
    with torch.no_grad():
        expected = torch.sigmoid(module(one_hot(texts)))
    torch.testing.assert_close(model.predict(networks, texts), expected, atol=1e-6, rtol=1e-6)
    few = model.predict(networks, texts, batch_size=2)
    torch.testing.assert_close(few, expected, atol=1e-6, rtol=1e-6)
    assert model.predict(networks, []).shape == (0, 1)
    as_rna = [text.replace("T", "U").replace("t", "u") for text in texts]
    torch.testing.assert_close(model.predict(networks, as_rna), expected, atol=1e-6, rtol=1e-6)
    with pytest.raises(ValueError, match="sequence 1 has 3 bases where 200 were needed"):
        model.predict(networks, [texts[0], "ACG"])


def test_exporting_leaves_the_network_as_it_was(space: SearchSpace, tmp_path: Path) -> None:
    module = space.sample(np.random.default_rng(0)).build(200).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    export_model(module, tmp_path, 200)
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_what_cannot_be_exported_is_refused(space: SearchSpace, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    one, other = (space.sample(generator).build(200) for _ in range(2))
    for members, labels, said in (
        ([], [], "found no member"),
        ([one, other], [], "found member 1 built otherwise than member 0"),
        ([one], ["a", "b"], "found 2 labels for 1 outputs"),
    ):
        with pytest.raises(InputError, match=said):
            export_model(members, tmp_path / "none", 200, labels=labels)
    assert not (tmp_path / "none").exists()
