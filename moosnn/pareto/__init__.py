"""Fronts as numbers: dominance, hypervolume, the front of a study."""
