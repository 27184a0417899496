"""A small search space with every kind of decision and condition."""

CONDITIONAL = """
name: small
version: 3
description: every kind of decision and condition
window_bp: 300
batch_normalisation: false
decisions:
  - {name: window, sets: window, choices: [100, 200], when: }
  - {name: blocks, sets: parameter, choices: [1, 2, 3]}
  - {name: filters, sets: parameter, choices: [2, 4]}
  - {name: kernel 2, sets: parameter, choices: [3, 4, 5], when: {blocks: [2, 3]}}
  - {name: odd, sets: parameter, choices: [relu, exponential], when: {kernel 2: [3, 5]}}
  - name: pooling
    choices: [{operation: max_pooling, size: 2}, {operation: average_pooling, size: 2}]
    when: {blocks: 3, window: 200}
  - name: tail
    choices: [global_max, flatten, {operation: lstm, units: 3}]
  - name: dense
    choices: [identity, {operation: dense, units: 5}]
    when: {tail: [flatten, {units: 3}]}
  - {name: rate, sets: recipe, choices: [{learning_rate: 1e-3}, {learning_rate: 0.01}]}
network:
  - {operation: convolution, filters: {from: filters}, kernel: 3}
  - when: {blocks: [2, 3]}
    operation: convolution
    filters: {from: filters, map: {2: 3, 4: 6}}
    kernel: {from: kernel 2}
  - when: {odd: [relu, exponential]}
    operation: convolution
    filters: 2
    kernel: 1
    activation: {from: odd}
  - {decision: pooling}
  - {decision: tail}
  - {decision: dense}
"""
