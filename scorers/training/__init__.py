"""How the shipped model was made: prepare, train, calibrate, export, evaluate.

The only part of the scoring room that may import torch; nothing that serves imports it.
"""
