"""The sub-commands, a module a family: their words beside what they do.

Knows: argparse, what prints. Must not know: hydra, how a study is run.

Whatever costs time to import waits until a sub-command needs it.
"""
