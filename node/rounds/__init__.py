"""A round at a site: train, seal, register, adopt."""
