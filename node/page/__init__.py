"""The site page: what the people of a site see and do in a browser (docs/site-page.md).

Way in: ``app.build_app`` makes the application of ``parts.PageParts``; ``serving.serve`` runs it.
"""
