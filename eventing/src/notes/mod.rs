//! Signed notes: who said that the log had this root at this size.
//!
//! The texts are those of C2SP, so that programs of others read them too:
//! - [`SignedNote`] (`signed-note`): a text with the signatures of one or more keys;
//! - [`SigningKey`], [`WitnessKey`], [`VerifierKey`]: Ed25519 keys of a log and of a witness, in note key text;
//! - [`Checkpoint`], [`SignedCheckpoint`] (`tlog-checkpoint`): origin, size and root of a log;
//! - cosignatures of witnesses (`tlog-cosignature`, Ed25519), which are signatures of a [`WitnessKey`];
//! - [`InclusionNote`] (`tlog-proof`): one file that proves that a record is in the log.
//!
//! # Invariants
//! 1. What is read has one form: writing what was read gives the same bytes. Everything else is a typed error.
//! 2. Nothing that a note says is believed before a signature of a given key was verified: reading and verifying are two steps.
//! 3. A secret key is cleared from memory when it is dropped, is never shown, and lies in files of mode 0600 that are never
//!    overwritten.
//!
//! The mathematics of trees is not here, and neither is any storage but that of key files.

mod checkpoint;
mod file;
mod key;
mod note;
mod proof;

pub use checkpoint::{Checkpoint, InvalidCheckpoint, SignedCheckpoint, Untrusted};
pub use file::{KEY_FILE, KeyFileError, read_verifier_key};
pub use key::{
    InvalidKey, KeyKind, Kind, LogKind, SecretKey, SigningKey, VerifierKey, WitnessKey, WitnessKind,
    WrongSignature, new_origin,
};
pub use note::{InvalidNote, NOTE_LEN_MAX, NotSigned, NoteSignature, SIGNATURES_MAX, SignedNote};
pub use proof::{InclusionNote, InvalidProof, PROOF_HASHES_MAX};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Reads base64 as it is written: padded, without stray bits, whole.
fn decode_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// Reads a decimal number as it is written: digits only, none in front that says nothing.
fn decode_number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    (digits && plain).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(decode_number("0"), Some(0));
        assert_eq!(decode_number("18446744073709551615"), Some(u64::MAX));
        for text in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1x",
            "18446744073709551616",
        ] {
            assert_eq!(decode_number(text), None, "{text:?}");
        }
    }

    #[test]
    fn base64_has_one_form() {
        assert_eq!(decode_base64::<1>("AA=="), Some([0]));
        for text in ["AA", "AA=", "AB==", "A-==", " AA==", "AAA=", ""] {
            assert_eq!(decode_base64::<1>(text), None, "{text:?}");
        }
    }
}
