//! What must hold for any bytes that notes, proofs and exports are read from.

use crate::merkle::Hash;
use crate::notes::{
    Checkpoint, InclusionNote, SignedCheckpoint, SignedNote, SigningKey, VerifierKey, WitnessKey,
};
use crate::verify::export::{Demands, Header, hash_line, parse_hash_line, verify};

/// Bytes are refused, or are to the letter what is written for the note that is read from them; and so is the checkpoint in
/// it. The test suite runs this on damaged notes, a target in `fuzz/` on whatever a fuzzer finds.
///
/// # Panics
/// When something does not hold.
pub fn any_bytes_as_note(bytes: &[u8]) {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes, "a note has one form");
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.text(), note.text(), "a checkpoint has one form");
        }
    }
    if let Ok(signed) = SignedCheckpoint::parse(bytes) {
        assert_eq!(
            signed.to_string().as_bytes(),
            bytes,
            "a signed checkpoint has one form"
        );
    }
}

/// The same for text of keys, space at their end apart.
///
/// # Panics
/// When something does not hold.
pub fn any_bytes_as_key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let written = text.trim_end();
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), written, "a public key has one form");
    }
    if let Ok(key) = SigningKey::parse(text) {
        assert_eq!(*key.text(), written, "a secret key has one form");
    }
    if let Ok(key) = WitnessKey::parse(text) {
        assert_eq!(*key.text(), written, "a secret key has one form");
    }
}

/// The same for `.tlog-proof` files.
///
/// # Panics
/// When something does not hold.
pub fn any_bytes_as_proof(bytes: &[u8]) {
    if let Ok(proof) = InclusionNote::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes, "a proof has one form");
    }
}

/// Bytes are a sound export or have a fault; its lines have one form each.
///
/// # Panics
/// When something does not hold.
pub fn any_bytes_as_export(bytes: &[u8]) {
    let _ = verify(bytes, &Demands::default(), |_| {});
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(header) = Header::parse(line, true) {
            assert_eq!(header.line().as_bytes(), line, "a header has one form");
        }
        any_bytes_as_hash_line(line);
    }
}

fn any_bytes_as_hash_line(line: &[u8]) {
    for count in [1, 2, 256] {
        if let Ok(hashes) = parse_hash_line(line, 0, count) {
            let hashes: Vec<Hash> = hashes;
            assert_eq!(
                hash_line(0, &hashes).as_bytes(),
                line,
                "a line of hashes has one form"
            );
        }
    }
}
