"""The trail in a database: filled from event logs alone, searched by what an auditor asks for."""
