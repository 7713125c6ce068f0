"""A page image becomes typed words that a person can review.

Way in: ``load`` (a file becomes pages, in a worker process), ``pipeline`` (a page becomes a ``PageReading``),
``lexicon`` (the medicines that may be proposed), ``words`` (crops that are reviewed and train).
"""
