"""Learning rules: how a network's weights are found."""
