"""Reviewed prescriptions as files for other systems: HL7 FHIR, CSV, JSON. Bytes out; nothing is written here."""
