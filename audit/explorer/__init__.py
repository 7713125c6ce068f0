"""The network on one local web page: rounds, sites, models, consent, and the transaction and proof of each."""
