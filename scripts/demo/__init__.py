"""``make demo``: the whole network on one machine, through the commands and daemons that an operator runs."""
