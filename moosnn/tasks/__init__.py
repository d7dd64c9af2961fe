"""Tasks: a proposal goes in, an evaluation comes out."""
