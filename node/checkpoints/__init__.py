"""Checkpoints that the site signs and keeps, so that a chain that was rewritten below one is noticed here."""
