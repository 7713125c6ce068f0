"""A consent receipt in the words of HL7 FHIR R4B and R5 and of ISO/IEC TS 27560 (docs/spec/consent-formats.md).

Pure: values in, bytes out, and back. What comes in proposes a consent; only a witness's signature makes a receipt.
"""
