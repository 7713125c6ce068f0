"""Deploys, runs a local network, checks. May import everything; nothing imports it."""
