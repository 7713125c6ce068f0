"""Evidence bundles: a chain's whole history and the content of some rounds in one file, to be verified offline."""
