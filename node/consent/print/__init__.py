"""Papers that a patient takes home: the consent receipt and the withdrawal slip (docs/spec/consent-print.md).

Words come from a catalogue a language, ``catalogues/``; pages are PDF.
"""
