"""Tasks: peaks on a genome, turned into labelled windows that are split by chromosome."""

from ambient.data.corpora import Corpora, read_corpora
from ambient.data.corpus import Corpus, TaskSpec, read_corpus
from ambient.data.encode import EncodeTasks, write_encode_tasks
from ambient.data.negatives import NegativesConfig
from ambient.data.prepare import (
    open_genome,
    prepare_corpus,
    prepare_task,
    task_from_peaks,
)
from ambient.data.simulate import simulate_corpus
from ambient.data.split import Split, choose_split
from ambient.data.task import ORIGINS, SPLITS, TaskData

__all__ = [
    "ORIGINS",
    "SPLITS",
    "Corpora",
    "Corpus",
    "EncodeTasks",
    "NegativesConfig",
    "Split",
    "TaskData",
    "TaskSpec",
    "choose_split",
    "open_genome",
    "prepare_corpus",
    "prepare_task",
    "read_corpora",
    "read_corpus",
    "simulate_corpus",
    "task_from_peaks",
    "write_encode_tasks",
]
