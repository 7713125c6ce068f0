"""The auditor's tools: replay, trail, availability. They read event logs and IPFS, and trust nobody."""
