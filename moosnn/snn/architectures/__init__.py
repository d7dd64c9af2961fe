"""Families of architectures: each reads its genes and draws a blueprint."""
