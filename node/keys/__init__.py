"""The site's keys: documents, rotation, witnesses."""
