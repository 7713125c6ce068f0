"""What the vectors refuse, with the name of the failure."""

from __future__ import annotations

from typing import Any

MALFORMED = "MalformedError"


def _texts(cases: dict[str, bytes]) -> list[dict[str, Any]]:
    return [{"name": name, "bytes": data.hex(), "error": MALFORMED} for name, data in cases.items()]


def _changes(cases: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"name": n, "replace": old, "by": new, "error": MALFORMED} for n, (old, new) in cases.items()]


CANONICAL_JSON = _texts(
    {
        "empty": b"",
        "space": b'{"a": 1}',
        "keys out of order": b'{"b":1,"a":1}',
        "a key twice": b'{"a":1,"a":1}',
        "a float": b"1.0",
        "an exponent": b"1e3",
        "minus zero": b"-0",
        "2^53": b"9007199254740992",
        "not NFC": '"e\u0301"'.encode(),
        "a needless escape": b'"\\u0061"',
        "a lone surrogate": b'"\\ud800"',
        "not UTF-8": b'"\xff"',
        "33 brackets": b"[" * 33 + b"]" * 33,
        "an integer of 5,000 digits": b"1" * 5000,
    }
)
_HEADER = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
PARAMETERS = _texts(
    {
        "no data": (56).to_bytes(8, "little") + _HEADER + b"  ",
        "a byte too many": (56).to_bytes(8, "little") + _HEADER + b"  " + bytes(5),
        "not padded": (54).to_bytes(8, "little") + _HEADER + bytes(4),
        "NaN": (56).to_bytes(8, "little") + _HEADER + b"  " + b"\x00\x00\xc0\x7f",
        "infinity": (56).to_bytes(8, "little") + _HEADER + b"  " + b"\x00\x00\x80\x7f",
        "a header length of 2^64 - 1": b"\xff" * 8 + _HEADER,
        "int32 in place of float32": (56).to_bytes(8, "little") + _HEADER.replace(b"F32", b"I32") + b"  " + bytes(4),
        "truncated before the header": b"\x00" * 7,
    }
)
MANIFEST = _changes(
    {
        "another version": ('"version":1', '"version":2'),
        "round zero": ('"round":7', '"round":0'),
        "a float": ('"weight":2', '"weight":2.0'),
        "hex in capitals": ("0a" * 32, "0A" * 32),
        "a short digest": ("0a" * 32, "0a" * 31),
        "an unknown key": ('"version":1', '"version":1,"zzz":1'),
        "a letter outside ASCII": ("2.500000", "2.5\u00e9"),
        "not an object": ("{", "["),
    }
)
PLAN = _changes(
    {
        "another version": ('"version":1', '"version":2'),
        "no end of the norm": ('"max_norm":"100"', '"max_norm":"0"'),
        "a norm with an exponent": ('"max_norm":"100"', '"max_norm":"1e2"'),
        "a cosine above one": ('"near_duplicate_cosine":"0.95"', '"near_duplicate_cosine":"1.1"'),
        "a weight of 2^20": ('"max_weight":64', '"max_weight":1048576'),
        "a value of 2^31": ('"max_abs":1073741824', '"max_abs":2147483648'),
        "an unknown strategy": ('"strategy":"fedavg"', '"strategy":"krum"'),
        "an unknown weighting": ('"weighting":"num_examples"', '"weighting":"loudest"'),
        "a tensor without values": ('"shape":[3]', '"shape":[0]'),
        "astronomically many values": ('"shape":[3]', '"shape":[2147483647,2147483647,2147483647]'),
        "no aggregator": ('"role":"aggregator"', '"role":"auditor"'),
    }
)
VERDICTS = _changes(
    {
        "another version": ('"version":1', '"version":2'),
        "an unknown code": ('"code":10,', '"code":2,'),
        "out of order": ('"index":1', '"index":2'),
        "a site id in capitals": ("0a" * 32, "0A" * 32),
    }
)
INVITATION = [
    {"name": "expired", "now_after_expiry": 0, "error": MALFORMED},
    *_changes({"another site": ('"site":"dhaka-general"', '"site":"elsewhere"')}),
    *_changes({"another endpoint": ("http://127.0.0.1:8545", "http://127.0.0.2:8545")}),
    *_changes({"another governor": ('"governor":"0x', '"governor":"0y')}),
]
ENVELOPE = [
    {"name": "another magic", "xor_at": 0, "code": "ENVELOPE_MALFORMED"},
    {"name": "another version", "xor_at": 8, "code": "VERSION_UNKNOWN"},
    {"name": "another suite", "xor_at": 9, "code": "VERSION_UNKNOWN"},
    {"name": "a flipped bit of the last tag", "xor_at": -1, "code": "NOT_OPENED"},
    {"name": "a byte less", "cut": 1, "code": "ENVELOPE_MALFORMED"},
    {"name": "another chain", "context": {"chain_id": 1}, "code": "CONTEXT_MISMATCH"},
    {"name": "another round", "context": {"round": 8}, "code": "CONTEXT_MISMATCH"},
    {"name": "another site", "context": {"site_id": "ff" * 32}, "code": "CONTEXT_MISMATCH"},
    {"name": "fewer recipients", "recipients": 1, "code": "CONTEXT_MISMATCH"},
]
MERKLE = [
    {"name": "another index", "tree": 3, "leaf": 0, "index": 1, "error": MALFORMED},
    {"name": "another count", "tree": 3, "leaf": 0, "count": 4, "error": MALFORMED},
    {"name": "another value", "tree": 3, "leaf": 0, "value": "00" * 32, "error": MALFORMED},
    {"name": "a path too short", "tree": 3, "leaf": 0, "path": [], "error": MALFORMED},
    {"name": "another root", "tree": 3, "leaf": 0, "root": "00" * 32, "error": MALFORMED},
]
KEYSTORE = [
    {"name": "another passphrase", "passphrase": "6f74686572", "error": "WrongPassphraseError"},
    {"name": "a lowered cost", "replace": '"iterations":2', "by": '"iterations":1', "error": "WrongPassphraseError"},
    {"name": "another nonce", "replace": '"nonce":"00', "by": '"nonce":"01', "error": "WrongPassphraseError"},
    {"name": "another format", "replace": "fedrx-keystore/1", "by": "fedrx-keystore/2", "error": "KeyRingError"},
    {"name": "another derivation", "replace": "argon2id", "by": "argon2i", "error": "KeyRingError"},
    {
        "name": "memory without bound",
        "replace": '"memory_kib":1024',
        "by": '"memory_kib":1048577',
        "error": "KeyRingError",
    },
    {"name": "too little memory", "replace": '"memory_kib":1024', "by": '"memory_kib":511', "error": "KeyRingError"},
    {"name": "a short salt", "replace": '"salt":"00', "by": '"salt":"', "error": "KeyRingError"},
    {"name": "hex in capitals", "replace": '"salt":"00aa', "by": '"salt":"00AA', "error": "KeyRingError"},
    {"name": "an unknown key", "replace": '{"format"', "by": '{"a":1,"format"', "error": "KeyRingError"},
    {"name": "a space", "replace": '{"format"', "by": '{ "format"', "error": "KeyRingError"},
]

SAMPLE_PROOF = [
    {"name": "another dataset root", "of": 0, "dataset_root": "01" * 32, "error": "MalformedError"},
    {"name": "another consent root", "of": 0, "consent_root": "01" * 32, "error": "MalformedError"},
    {"name": "another audit key", "of": 0, "audit_key": "01" * 32, "error": "MalformedError"},
    {"name": "a leaf of another sample", "of": 1, "replace": "01" * 16, "by": "02" * 16, "error": "MalformedError"},
    {
        "name": "an absent sample that is there",
        "of": 2,
        "replace": "09" * 16,
        "by": "01" * 16,
        "error": "MalformedError",
    },
    {"name": "another dataset root for an absence", "of": 2, "dataset_root": "01" * 32, "error": "MalformedError"},
    {"name": "an unknown format", "of": 0, "replace": "proof/1", "by": "proof/2", "error": "MalformedError"},
]
CHECKPOINT = _changes(
    {
        "another chain": ("fedrx/31337/", "fedrx/31338/"),
        "another block": ("\n12\n", "\n13\n"),
        "a number with a zero before it": ("\n12\n", "\n012\n"),
        "a contract in capitals": ("0x0a0a", "0x0A0a"),
        "another origin": ("fedrx/", "other/"),
        "a hash with spare bits": ("s=\n\n", "t=\n\n"),
        "a fourth line": ("s=\n\n", "s=\nmore\n\n"),
        "no empty line": ("\n\n", "\n"),
        "a hyphen for the dash": ("\u2014 dhaka", "- dhaka"),
        "two spaces": ("\u2014 dhaka-general ", "\u2014 dhaka-general  "),
        "a line of something else": ("\u2014 north", "more\n\u2014 north"),
        "a tab": ("\u2014 dhaka", "\u2014\tdhaka"),
    }
)
SCORES = _changes(
    {
        "an unknown format": ("fedrx-scores/1", "fedrx-scores/2"),
        "an unknown key": ('"exam":', '"a":1,"exam":'),
        "another number of right words": ('"correct":1', '"correct":2'),
        "another answer": ('"right":"01"', '"right":"03"'),
        "an answer to a word that is not there": ('"right":"01"', '"right":"08"'),
        "answers for fewer words": ('"right":"01"', '"right":""'),
        "another number of words": ('"words":3', '"words":9'),
        "no words": ('"words":3', '"words":0'),
        "an interval above its share": ('"low_millionths":61491', '"low_millionths":333334'),
        "an interval below its share": ('"high_millionths":792341', '"high_millionths":333333'),
        "an interval beyond everything": ('"high_millionths":938509', '"high_millionths":1000001'),
        "a round twice": ('"round":1', '"round":0'),
        "hex in capitals": ("0b" * 32, "0B" * 32),
        "a digest with 0x": ('"model_digest":"a0', '"model_digest":"0xa0'),
        "software without a name": ('"software":"fedrx 1"', '"software":""'),
    }
)
