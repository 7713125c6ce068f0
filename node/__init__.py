"""A site's process.

Way in: ``site`` opens what a site has; ``daemon`` runs it; ``participation`` is one round at a site; ``intake``,
``review`` and ``consent_desk`` are what the clinic does before that.
"""
