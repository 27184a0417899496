"""From standardised descriptors to proposals: what the policy finds probable, and what is proven."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from ambient.child.count import Limits
from ambient.child.threads import one_thread
from ambient.controller.beam import Beams, beam, most_probable
from ambient.controller.policy import Policy
from ambient.controller.predictor import Predictor
from ambient.controller.proposal import Expected, Proposal, Worked
from ambient.controller.recorded import Proven, Reached, best_on, reached
from ambient.errors import RunError
from ambient.space import Architecture

__all__ = ["MOST_PROPOSALS", "PROMISE", "Proposer"]

MOST_PROPOSALS = 1000  # for one data set: enough to begin any search with; ten thousand take minutes and gigabytes
LEAST_BEAM_WIDTH = 64  # beginnings kept however few architectures are asked for
MOST_BEAM_WIDTH = 4096  # and however many of them the user's limits refuse
DRAWN = 2000  # from the whole space, where they leave too few of these
# An untried architecture is promised too much, being the one of very many of which most is expected. It comes before a
# proven one where it is expected to be better by this many standard deviations of that difference: so on yeast, in
# folds of training tasks (benchmarks/yeast/folds), nothing is lost to choosing what is proven for all.
PROMISE = 0.5

Accepts = Callable[[Architecture], bool]
_Ranked = list[tuple[Architecture, float]]  # networks with their probability
_Networks = dict[str, tuple[Architecture, float]]  # the same by their keys


class Proposer:
    """Proposes for data sets that it knows as vectors.

    Parameters
    ----------
    policy : Policy
    predictor : Predictor or None
        Of the records that it learned from.
    tasks : tuple of str
        The training tasks.
    at_full : Proven, optional
        What was best on these at `full`: it takes the place of what is proven by the records.
    """

    def __init__(
        self,
        policy: Policy,
        predictor: Predictor | None,
        tasks: tuple[str, ...],
        at_full: Proven | None = None,
    ) -> None:
        self.policy, self.predictor, self.tasks, self.at_full = policy, predictor, tasks, at_full

    def propose(
        self,
        vectors: np.ndarray,
        top: int,
        accepts: Accepts | None,
        nearest: Sequence[tuple[tuple[str, float], ...]],
    ) -> list[list[Proposal]]:
        """Propose for each vector, float32, (batch, 2 * D), with its nearest tasks, as `Controller.propose` says."""
        rows = torch.from_numpy(vectors)
        beams = None
        if accepts is None:
            beams = most_probable(self.policy, rows, top, LEAST_BEAM_WIDTH)
            found = [self._networks(*one) for one in beams.best]
        else:
            found = [{} for _ in vectors]
        # Too few where several token lists spell one network, or where limits refuse some.
        for index, networks in enumerate(found):
            if len(networks) < top:
                found[index] = self._search_wider(rows[index : index + 1], top, accepts)
        best = [_first(networks, top) for networks in found]
        proven = self._proven(accepts)
        first = self._proven_at_full(accepts) or proven
        if first is not None:
            best = self._with_proven(vectors, best, found, proven or first, first, beams)
        expected = iter(self._expected(vectors, [[one for one, _ in ranked] for ranked in best]))
        key = None if first is None else first.key
        return [
            [
                Proposal(one, probability, near, next(expected), one.key == key)
                for one, probability in ranked
            ]
            for ranked, near in zip(best, nearest, strict=True)
        ]

    def best_on(
        self, among: Sequence[tuple[str, ...]], vector: np.ndarray, accepts: Accepts | None
    ) -> list[Worked]:
        """Give what is proven at `full`, and the best recorded architecture on each of several groups of tasks.

        What is expected of it is for the data set with the vector, float32, (1, 2 * D). A group that has none is left
        out.
        """
        allowed = self._allowed(accepts)
        best = [(tasks, best_on(self._reached, tasks, allowed)) for tasks in among]
        found = [(self._architecture(one[0]), tasks, one[1], "") for tasks, one in best if one]
        at_full = self._proven_at_full(accepts)
        if self.at_full is not None and at_full is not None:
            found.insert(0, (at_full, self.tasks, self.at_full.reached, self.at_full.fidelity.name))
        return [
            Worked(architecture, tasks, mean, expected, fidelity)
            for (architecture, tasks, mean, fidelity), expected in zip(
                found, self._expected(vector, [[one for one, *_ in found]]), strict=True
            )
            if expected is not None
        ]

    @cached_property
    def _reached(self) -> Reached:
        return {} if self.predictor is None else reached(self.predictor.records.each())

    def _proven(self, accepts: Accepts | None) -> Architecture | None:
        """Give the architecture that was best on all training tasks, of those that were trained on all."""
        if len(self.tasks) < 2:
            return None
        best = best_on(self._reached, self.tasks, self._allowed(accepts))
        return None if best is None else self._architecture(best[0])

    def _proven_at_full(self, accepts: Accepts | None) -> Architecture | None:
        """Give the architecture that was best on all training tasks at `full`, where it is known and accepted."""
        if (
            self.at_full is None
            or self.predictor is None
            or not self._allowed(accepts)(self.at_full.tokens)
        ):
            return None
        return self._architecture(self.at_full.tokens)

    def _allowed(self, accepts: Accepts | None) -> Callable[[tuple[int, ...]], bool]:
        """Say of tokens what `accepts` says of their network."""
        return lambda tokens: accepts is None or accepts(self._architecture(tokens))

    def _with_proven(
        self,
        vectors: np.ndarray,
        best: Sequence[_Ranked],
        found: Sequence[_Networks],
        proven: Architecture,
        first: Architecture,
        beams: Beams | None,
    ) -> list[_Ranked]:
        """Put one first where the most probable one does not promise enough more than what the records prove."""
        assert self.predictor is not None
        tokens = np.array([ranked[0][0].tokens for ranked in best])
        others = np.tile(proven.tokens, (len(best), 1))
        is_enough = self.predictor.promises(vectors, tokens, others, PROMISE)
        behind = [row for row in range(len(best)) if not is_enough[row]]
        alone = self._probabilities(torch.from_numpy(vectors), first, beams)
        changed = list(best)
        for row in behind:
            put = found[row].get(first.key) or (first, alone[row])
            rest = [pair for pair in best[row] if pair[0].key != first.key]
            changed[row] = [put, *rest][: len(best[row])]
        return changed

    def _probabilities(
        self, vectors: Tensor, architecture: Architecture, beams: Beams | None
    ) -> list[float]:
        """Give the probability of an architecture for each data set, read on from beams where there are some."""
        if beams is not None:
            return beams.log_probability(architecture.tokens).exp().tolist()
        tokens = torch.tensor([architecture.tokens]).expand(len(vectors), -1)
        with torch.no_grad():
            return self.policy.log_probability(vectors, tokens).exp().tolist()

    def _networks(self, tokens: Tensor, log_probabilities: Tensor) -> _Networks:
        """Give the networks that tokens spell; the probability of one that several spell is their sum."""
        found: _Networks = {}
        for row, value in zip(tokens.tolist(), log_probabilities.tolist(), strict=True):
            architecture = self._architecture(tuple(row))
            _, before = found.get(architecture.key, (architecture, 0.0))
            found[architecture.key] = (architecture, before + math.exp(value))
        return found

    @cached_property
    def _architecture(self) -> Callable[[tuple[int, ...]], Architecture]:
        """`SearchSpace.architecture`, with a memory: data sets are proposed much the same."""
        return lru_cache(maxsize=MOST_BEAM_WIDTH)(self.policy.space.architecture)

    def _search_wider(self, vector: Tensor, top: int, accepts: Accepts | None) -> _Networks:
        """Keep more beginnings until enough different networks are accepted, or there are no more."""
        width = max(2 * top, LEAST_BEAM_WIDTH)
        judged: dict[str, bool] = {}
        refused: list[Architecture] = []
        while True:
            with one_thread():  # the tensors of one data set are small
                ((tokens, log_probabilities),) = beam(self.policy, vector, width)
            found = self._networks(tokens, log_probabilities)
            if accepts is not None:
                for key, (architecture, _) in found.items():
                    if key not in judged:
                        judged[key] = accepts(architecture)
                        refused += [] if judged[key] else [architecture]
                found = {key: value for key, value in found.items() if judged[key]}
            is_all = len(tokens) < width
            if len(found) >= top or is_all or width >= MOST_BEAM_WIDTH:
                break
            width *= 2
        if len(found) < top and accepts is not None and not is_all:
            accepted = [one for one in self._drawn if accepts(one)]
            found = {**self._read(vector, accepted), **found}
            refused += self._drawn
        if not found:
            others = "" if is_all else f", nor of {DRAWN:,} that were drawn from all,"
            why = (
                f": {accepts.shortfall(refused)}" if isinstance(accepts, Limits) else "; raise them"
            )
            raise RunError(
                f"propose: none of the {len(judged):,} most probable architectures of the space "
                f"{self.policy.space.name}{others} is within the limits{why}"
            )
        return found

    @cached_property
    def _drawn(self) -> list[Architecture]:
        """Different networks from the whole space, each drawn as probably as the others."""
        rng = np.random.default_rng(0)
        drawn = (self.policy.space.sample(rng) for _ in range(DRAWN))
        return list({one.key: one for one in drawn}.values())

    def _read(self, vector: Tensor, architectures: Sequence[Architecture]) -> _Networks:
        """Give the networks with the probability that the policy finds for them."""
        if not architectures:
            return {}
        tokens = torch.tensor([one.tokens for one in architectures])
        with torch.no_grad():
            values = self.policy.log_probability(vector.expand(len(tokens), -1), tokens)
        return self._networks(tokens, values)

    def _expected(
        self, vectors: np.ndarray, asked: Sequence[Sequence[Architecture]]
    ) -> Sequence[Expected | None]:
        """Say what is expected of each architecture for each data set, one after the other."""
        counts = [len(one) for one in asked]
        if self.predictor is None or not sum(counts):
            return [None] * sum(counts)
        tokens = np.array([architecture.tokens for one in asked for architecture in one])
        found = self.predictor.predict(np.repeat(vectors, counts, axis=0), tokens)
        return Expected.each(found)


def _first(networks: _Networks, top: int) -> _Ranked:
    best = sorted(networks.items(), key=lambda entry: (-entry[1][1], entry[0]))[:top]
    return [pair for _, pair in best]
