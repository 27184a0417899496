"""A space of four small networks, as a user writes it."""

SPACE = """
name: small
version: 1
window_bp: 100
decisions:
  - name: first
    choices: [{operation: convolution, filters: 4, kernel: 8}, {operation: convolution, filters: 2, kernel: 8}]
  - {name: tail, choices: [global_max, global_average]}
"""
