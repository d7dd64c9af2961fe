"""Learning rules as a search sees them: their genes, and the neurons they ask for.

One file a rule. torch waits for `moosnn.snn.learning`, where each rule is carried out
in the file of the same name.
"""
