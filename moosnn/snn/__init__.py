"""Spiking neural networks: coding, neurons, architectures, silence, data."""
