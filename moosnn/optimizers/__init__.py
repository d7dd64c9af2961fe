"""Optimizers: a history goes in, proposals come out."""
