"""The search of moosnn as a sweeper of Hydra: ``hydra/sweeper=moosnn``."""
