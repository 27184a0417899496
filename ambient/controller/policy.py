"""The policy network: standardised descriptors in, a distribution over architectures out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ambient.controller.begun import Begun
from ambient.errors import RunError

if TYPE_CHECKING:
    from ambient.space import SearchSpace

__all__ = ["INACTIVE", "Policy", "PolicyConfig", "SkipAttention", "along"]

# Log-probability of a choice that a decision does not have; finite, so that the entropy is.
IMPOSSIBLE = -1e30
INACTIVE = -1  # token of a decision that earlier decisions switched off


@dataclass(frozen=True)
class PolicyConfig:
    """Shape and sharpness of a policy; saved with it, so that what is trained is deployed."""

    hidden: int = 128  # LSTM units (AMBIENT, appendix A)
    encoder: int = 16  # units of g, the network that reads the descriptors (AMBIENT, appendix A)
    embedding: int = 32  # width of a sampled token's embedding, the LSTM's next input
    temperature: float = 1.0  # logits are divided by it; above 1 flattens the distribution
    tanh_bound: float | None = (
        5.0  # logits stay within +-bound, so no choice's odds die; None: free
    )

    def __post_init__(self) -> None:
        for name in ("hidden", "encoder", "embedding"):
            if getattr(self, name) < 1:
                raise RunError(f"policy: {name} is {getattr(self, name)}; it must be at least 1")
        if not self.temperature > 0:
            raise RunError(f"policy: temperature is {self.temperature}; it must be above 0")
        if self.tanh_bound is not None and not self.tanh_bound > 0:
            raise RunError(
                f"policy: tanh_bound is {self.tanh_bound}; give a number above 0 or none"
            )

    def to_dict(self) -> dict[str, Any]:
        """Give the configuration as a JSON value."""
        return asdict(self)


class Policy(nn.Module):
    """An LSTM that writes an architecture one decision at a time, starting from the descriptors.

    The initial state comes from the descriptors: g is one tanh layer of 16 units, and a linear
    projection of it gives both h_0 (through tanh, the range of an LSTM's output) and c_0, the cell,
    which carries the descriptors past the first few decisions. Each decision has its own softmax
    head. The embedding of the sampled token is the next input; decisions of one `shares` group use
    one embedding table, and a decision that is not active feeds one learned vector and contributes
    log-probability 0.

    Where the space has skips, whether one is taken is decided by attention: the state at which the
    skip is decided is held against the state that had just read the layer that the skip comes from
    (`SkipAttention`).

    Parameters
    ----------
    space : SearchSpace
        Its decisions are written in order.
    config : PolicyConfig
        Shape, temperature and bound.
    descriptor_count : int
        Number of descriptors, D; the network reads 2 * D numbers (values, then missing flags).
    seed : int
        Of the initial weights; torch's global generator is left as it was.
    """

    _possible: Tensor  # (decisions, most choices): whether a decision has so many
    _first_rows: Tensor  # (decisions,): of its embedding in the table of all
    _head_rows: Tensor  # (decisions with a head * most choices,): of each choice among the rows of all heads

    def __init__(
        self,
        space: SearchSpace,
        config: PolicyConfig | None = None,
        descriptor_count: int = 40,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.space = space
        self.config = config = config or PolicyConfig()
        self.descriptor_count = descriptor_count
        self.choice_counts = tuple(len(decision.choices) for decision in space.decisions)
        groups = [i if d.shares is None else d.shares for i, d in enumerate(space.decisions)]
        self._tables = tuple(f"decision_{groups.index(group)}" for group in groups)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = nn.Linear(2 * descriptor_count, config.encoder)
            self.to_state = nn.Linear(config.encoder, 2 * config.hidden)
            self.start = nn.Parameter(0.1 * torch.randn(config.embedding))
            self.inactive = nn.Parameter(0.1 * torch.randn(config.embedding))
            self.embeddings = nn.ModuleDict()
            for table, count in zip(self._tables, self.choice_counts, strict=True):
                if table not in self.embeddings:
                    self.embeddings[table] = nn.Embedding(count, config.embedding)
            self.lstm = nn.LSTM(config.embedding, config.hidden, batch_first=True)
            self.heads = nn.ModuleList(
                nn.Identity() if decision.skip else nn.Linear(config.hidden, len(decision.choices))
                for decision in space.decisions
            )
            if space.skips:
                self.attention = SkipAttention(config.hidden)
        counts = torch.tensor(self.choice_counts)
        possible = torch.arange(max(self.choice_counts)) < counts[:, None]
        self.register_buffer("_possible", possible, persistent=False)
        with_head = [i for i, decision in enumerate(space.decisions) if not decision.skip]
        rows = (
            possible[with_head].flatten().cumsum(0) - 1
        )  # any row does where there is no such choice
        self.register_buffer("_head_rows", rows, persistent=False)
        tables = list(self.embeddings)
        # Each once more, to be found without looking for it: it is read often.
        self._different_tables = [
            one for one in self.embeddings.values() if isinstance(one, nn.Embedding)
        ]
        self._linear_heads = [head for head in self.heads if isinstance(head, nn.Linear)]
        heights = [len(weight) for weight in self.embeddings.parameters()]
        first = [sum(heights[: tables.index(name)]) for name in self._tables]
        self.register_buffer("_first_rows", torch.tensor(first), persistent=False)
        sources = [space.decisions[index].skip for index in space.skips]
        self._read_after = [source[0] + 1 for source in sources if source]  # steps of the LSTM
        with torch.no_grad():
            # A flag that is never set in training gets no gradient: its weight must not be random
            # when one is met later.
            self.encoder.weight[:, descriptor_count:] = 0.0

    @torch.no_grad()
    def sample(self, descriptors: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw one architecture for each row.

        Parameters
        ----------
        descriptors : Tensor, float32, shape (batch, 2 * D)
            Standardised values, then missing flags (`Scaler.transform`).
        generator : torch.Generator
            The only source of randomness.

        Returns
        -------
        tokens : Tensor, int64, shape (batch, decisions)
            -1 where a decision is not active.
        log_probability : Tensor, float32, shape (batch,)
            Of the whole architecture, natural logarithm; without gradient.
        """
        begun = self.begin(descriptors)
        total = torch.zeros(len(descriptors))
        for _ in self.choice_counts:
            log_probabilities, active = self.step(begun)
            drawn = torch.multinomial(log_probabilities.exp(), 1, generator=generator)[:, 0]
            chosen = drawn if active is None else torch.where(active, drawn, INACTIVE)
            total = total + _gather(log_probabilities, chosen)
            self.take(begun, chosen)
        return begun.tokens, total

    def log_probability(self, descriptors: Tensor, tokens: Tensor) -> Tensor:
        """Give the log-probability of each architecture, shape (batch,), with gradient.

        Parameters are those of `log_probability_and_entropy`.
        """
        return self.log_probability_and_entropy(descriptors, tokens)[0]

    def log_probability_and_entropy(
        self, descriptors: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Read given architectures (teacher forcing) in one pass of the LSTM.

        Parameters
        ----------
        descriptors : Tensor, float32, shape (batch, 2 * D)
            Standardised values, then missing flags.
        tokens : Tensor, int64, shape (batch, decisions)
            Complete architectures; -1 where a decision is not active.

        Returns
        -------
        log_probability : Tensor, float32, shape (batch,)
            Sum over the active decisions, natural logarithm.
        entropy : Tensor, float32, shape (batch,)
            Sum over the active decisions of the entropy of their softmax, in nats.
        """
        return along(self.read(descriptors, tokens), tokens)

    def read(self, descriptors: Tensor, tokens: Tensor) -> Tensor:
        """Give the log-probabilities of all choices of each decision, on the way to given architectures.

        Parameters are those of `log_probability_and_entropy`. All decisions pass through their heads at once:
        far fewer operations than one after the other.

        Returns
        -------
        Tensor, float32, shape (decisions, batch, most choices of a decision)
            With gradient; also where the decision is not active. `IMPOSSIBLE` where it has fewer choices.
        """
        return self.read_on(self.begin(descriptors), tokens)

    def read_on(self, begun: Begun, tokens: Tensor) -> Tensor:
        """Read given architectures to their end, as `read` does, from what is begun of them.

        Parameters
        ----------
        begun : Begun
            Their first decisions.
        tokens : Tensor, int64, shape (batch, decisions)
            Complete architectures; -1 where a decision is not active.

        Returns
        -------
        Tensor, float32, shape (decisions that are left, batch, most choices of a decision)
        """
        done = begun.tokens.shape[1]
        if done == len(self.choice_counts):
            return torch.empty((0, len(tokens), self._possible.shape[1]))
        outputs, _ = self.lstm(self._inputs(begun, tokens), begun.state)
        outputs = outputs.transpose(0, 1)
        skips = list(self.space.skips)
        if skips and done:  # they look back
            outputs = torch.cat([torch.stack(begun.outputs), outputs])
        read = self._choices(outputs, 0 if skips else done)
        return read[done:] if skips else read

    def _choices(self, outputs: Tensor, first: int) -> Tensor:
        """Give the log-probabilities of all choices of the decisions from `first` on, after what the LSTM gave there.

        (decisions, batch, hidden) -> (decisions, batch, most choices). `first` is 0 where the space has skips.
        """
        heads, most = self._linear_heads[first:], self._possible.shape[1]
        shape = len(heads), most, self.config.hidden
        rows = self._head_rows[first * most :]
        if first:
            rows = rows - rows[0]
        weights = torch.cat([head.weight for head in heads]).index_select(0, rows)
        biases = torch.cat([head.bias for head in heads]).index_select(0, rows)
        weights, biases = weights.view(shape).transpose(1, 2), biases.view(shape[0], 1, shape[1])
        skips = list(self.space.skips)
        if not skips:
            logits = torch.baddbmm(biases, outputs, weights)
        else:
            plain = [index for index in range(len(outputs)) if index not in skips]
            logits = torch.baddbmm(biases, outputs[plain], weights)
            wanted = self.attention(outputs[self._read_after], outputs[skips])
            wanted = nn.functional.pad(wanted, (0, logits.shape[2] - wanted.shape[2]))
            logits = torch.cat([logits, wanted])[torch.tensor([*plain, *skips]).argsort()]
        return self._log_probabilities(logits, self._possible[first:, None])

    def begin(self, descriptors: Tensor) -> Begun:
        """Begin to write an architecture for each row of descriptors, float32, (batch, 2 * D)."""
        batch = len(descriptors)
        return Begun(
            torch.empty((batch, 0), dtype=torch.int64),
            self.start.expand(batch, -1),
            self._initial_state(descriptors),
        )

    def step(self, begun: Begun) -> tuple[Tensor, Tensor | None]:
        """Read the next decision: log-probabilities (batch, choices), and whether it is active, (batch,).

        None stands for a decision that always is.
        """
        index = begun.tokens.shape[1]
        output, begun.state = self.lstm(begun.inputs[:, None], begun.state)
        if self.space.skips:
            begun.outputs = (*begun.outputs, output[:, 0])
        decision = self.space.decisions[index]
        if decision.skip is None:
            logits = self.heads[index](output[:, 0])
        else:  # a layer's token is read by the step after it
            logits = self.attention(begun.outputs[decision.skip[0] + 1], output[:, 0])
        active = None
        for condition in decision.when:
            taken = begun.tokens[:, condition.decision]
            holds = torch.stack([taken == token for token in condition.tokens]).any(dim=0)
            active = holds if active is None else active & holds
        return self._log_probabilities(logits), active

    def take(self, begun: Begun, chosen: Tensor) -> None:
        """Write a token (batch,) after each beginning; -1 where it is not active."""
        index = begun.tokens.shape[1]
        table = self.embeddings[self._tables[index]]
        if self.space.decisions[index].when:
            embedded = table(chosen.clamp(min=0))
            begun.inputs = torch.where(chosen[:, None] >= 0, embedded, self.inactive)
        else:
            begun.inputs = table(chosen)
        begun.tokens = torch.cat([begun.tokens, chosen[:, None]], dim=1)

    def _initial_state(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Give h_0 and c_0, each (1, batch, hidden), from descriptors (batch, 2 * D)."""
        state = self.to_state(torch.tanh(self.encoder(descriptors)))
        hidden, cell = state.chunk(2, dim=1)
        return torch.tanh(hidden)[None].contiguous(), cell[None].contiguous()

    def _log_probabilities(self, logits: Tensor, possible: Tensor | None = None) -> Tensor:
        """Sharpen, bound and normalise logits (..., choices); sampling, training and deployment pass here."""
        if self.config.temperature != 1:
            logits = logits / self.config.temperature
        if self.config.tanh_bound is not None:
            logits = self.config.tanh_bound * torch.tanh(logits / self.config.tanh_bound)
        if possible is not None:
            logits = logits.masked_fill(~possible, IMPOSSIBLE)
        return torch.log_softmax(logits, dim=-1)

    def _inputs(self, begun: Begun, tokens: Tensor) -> Tensor:
        """Give what the LSTM reads on the way from beginnings to architectures: (batch, decisions left, embedding)."""
        done = begun.tokens.shape[1]
        table = torch.cat([one.weight for one in self._different_tables])
        read = tokens[:, done:-1]
        embedded = nn.functional.embedding(read.clamp(min=0) + self._first_rows[done:-1], table)
        embedded = torch.where(read[:, :, None] >= 0, embedded, self.inactive)
        return torch.cat([begun.inputs[:, None], embedded], dim=1)


class SkipAttention(nn.Module):
    """How much a later layer wants what an earlier one gives: v . tanh(W_previous h_j + W_current h_i).

    Source
    ------
    Zoph and Le 2017, Neural Architecture Search with Reinforcement Learning, section 3.3.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.previous = nn.Linear(hidden, hidden, bias=False)
        self.current = nn.Linear(hidden, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, earlier: Tensor, now: Tensor) -> Tensor:
        """Map two states (..., hidden) to logits (..., 2) of no and yes; yes is sigmoid of the second."""
        wanted = self.score(torch.tanh(self.previous(earlier) + self.current(now)))
        return torch.cat([torch.zeros_like(wanted), wanted], dim=-1)


def along(choices: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Sum up what was met on the way to given architectures.

    Parameters
    ----------
    choices : Tensor, float32, shape (decisions, batch, most choices)
        Log-probabilities of each decision, as `Policy.read` gives them.
    tokens : Tensor, int64, shape (batch, decisions)
        The architectures; -1 where a decision is not active.

    Returns
    -------
    log_probability, entropy : Tensor, float32, shape (batch,)
        As `Policy.log_probability_and_entropy` gives them.
    """
    active = tokens.T >= 0
    taken = choices.gather(2, tokens.T.clamp(min=0)[:, :, None])[:, :, 0]
    spread = -(choices.exp() * choices).sum(dim=2)
    return torch.where(active, taken, 0.0).sum(dim=0), torch.where(active, spread, 0.0).sum(dim=0)


def _gather(log_probabilities: Tensor, tokens: Tensor) -> Tensor:
    """Pick each row's log-probability (batch,) from (batch, choices), 0 where its token is -1."""
    picked = log_probabilities.gather(1, tokens.clamp(min=0)[:, None])[:, 0]
    return torch.where(tokens >= 0, picked, 0.0)
