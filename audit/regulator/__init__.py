"""The report for a regulator: what the chain says of some rounds, in sections whose every line names its proof."""
