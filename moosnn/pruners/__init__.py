"""Which running trials end early."""
