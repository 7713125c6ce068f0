"""What a site keeps, encrypted: pages, words, patients, receipts (docs/map.md)."""
