"""Verifies what Segue wrote, with the code of others: the package aics-tlog.

    verify.py LOG_KEY WITNESS_KEY TILES_DIR OLD_NOTE PROOF EXPORT COSIGNED_NOTE

Ends with status 0 and a line of JSON if all is sound, else with an exception.
"""

import base64
import json
import sys
from pathlib import Path

import aics_tlog


def check(fact, what):
    """Unlike assert, it cannot be switched off."""
    if not fact:
        raise SystemExit(f"not sound: {what}")


def signed(path, key, witnesses=(), quorum=0):
    note = aics_tlog.parse_note(Path(path).read_bytes())
    result = aics_tlog.verify_checkpoint(note, key, list(witnesses), quorum, expected_origin=key.name)
    check(result.ok, f"{path}: {result.error}")
    return result


def check_tiles(folder, head):
    reader = aics_tlog.FileSystemTileReader(folder)
    report = aics_tlog.audit_tiles(reader, head.size, head.root, entries=True)
    check(aics_tlog.tree_root_from_tiles(reader, head.size) == head.root, "the root of the tiles")
    return reader, report


def check_growth(reader, old, head):
    proof = []
    if 0 < old.size < head.size:
        proof = aics_tlog.consistency_proof_from_tiles(reader, old.size, head.size)
    grown = aics_tlog.verify_consistency(old.size, head.size, old.root, head.root, proof)
    check(grown, "the consistency with the old checkpoint")


def check_proof(path, key):
    """The file's form is C2SP tlog-proof, which the package does not read; what it says is verified by the package."""
    head, note = Path(path).read_bytes().split(b"\n\n", 1)
    first, extra, index, *hashes = head.decode().split("\n")
    check(first == "c2sp.org/tlog-proof@v1", "the first line of the proof")
    record = base64.b64decode(extra.removeprefix("extra "), validate=True)
    index = int(index.removeprefix("index "))
    path_to_root = [base64.b64decode(line, validate=True) for line in hashes]
    parsed = aics_tlog.parse_note(note)
    result = aics_tlog.verify_checkpoint(parsed, key, [], 0, expected_origin=key.name)
    check(result.ok, f"the proof's checkpoint: {result.error}")
    included = aics_tlog.verify_leaf_inclusion(record, index, result.size, path_to_root, result.root)
    check(included, "the inclusion of the record")
    check(json.loads(record)["position"] == index + 1, "the position of the record")


def check_export(path, key):
    header, *lines = Path(path).read_bytes().splitlines()
    header = json.loads(header)
    check(header["public_key"] == aics_tlog.format_vkey(key), "the export's key")
    note = aics_tlog.parse_note(header["checkpoint"])
    result = aics_tlog.verify_checkpoint(note, key, [], 0, expected_origin=key.name)
    check(result.ok, f"the export's checkpoint: {result.error}")
    records, hashes = [], []
    for line in lines:
        if line.startswith(b'{"tile":'):
            hashes.append(base64.b64decode(json.loads(line)["hashes"], validate=True))
        else:
            records.append(line)
    check(len(records) == header["size"] == result.size, "the number of records")
    leaves = b"".join(aics_tlog.leaf_hash(record) for record in records)
    check(leaves == b"".join(hashes), "the hashes beside the records")
    check(aics_tlog.MerkleTree(records).root() == result.root, "the root of the records")


def main():
    log_key, witness_key, tiles, old_note, proof, export, cosigned = sys.argv[1:]
    key, witness = aics_tlog.parse_vkey(log_key), aics_tlog.parse_vkey(witness_key)
    head = signed(Path(tiles) / "checkpoint", key)
    reader, report = check_tiles(tiles, head)
    old = signed(old_note, key)
    check_growth(reader, old, head)
    check_proof(proof, key)
    check_export(export, key)
    check(signed(cosigned, key, [witness], 1).cosignature_count == 1, "the cosignature")
    print(json.dumps({"size": head.size, "tiles": report.tiles, "bundles": report.bundles, "old_size": old.size}))


main()
