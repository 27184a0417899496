"""Controllers that ship with the package: one folder each, weights, card and model card."""
