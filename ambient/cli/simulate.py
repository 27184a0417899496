"""`ambient simulate`: a corpus folder from nothing."""

from __future__ import annotations

from pathlib import Path

import click

from ambient.cli.options import PATH, seed_option


@click.command(
    epilog="""\b
Example
  ambient simulate --output simulated --tasks 8
  ambient train simulated/corpus.yaml --output run --steps 10"""
)
@click.option("--output", type=PATH, required=True, help="A folder; made anew.")
@click.option("--tasks", type=click.IntRange(min=2), default=8, show_default=True)
@click.option("--genome-bp", type=click.IntRange(min=50_000), default=400_000, show_default=True)
@seed_option
def command(output: Path, tasks: int, genome_bp: int, seed: int) -> None:
    """Write a small genome (FASTA), genes (GTF), conservation (bigWig), peaks of several factors and a corpus file."""
    from ambient.data.simulate import simulate_corpus

    corpus = simulate_corpus(output, tasks=tasks, genome_bp=genome_bp, seed=seed)
    click.echo(f"wrote {corpus}")
