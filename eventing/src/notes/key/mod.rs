//! Keys in note key text: `PRIVATE+KEY+name+id+base64` and `name+id+base64`.

mod secret;
#[cfg(test)]
mod tests;
mod verifier;

use std::fmt;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

pub use secret::{Kind, LogKind, SecretKey, SigningKey, WitnessKey, WitnessKind};
pub use verifier::{VerifierKey, WrongSignature};

const PRIVATE: &str = "PRIVATE+KEY+";
const SIGNATURE_LEN: usize = 64;
const TIMESTAMP_LEN: usize = 8;
/// The first line of what a witness signs.
const COSIGNATURE: &str = "cosignature/v1\n";

/// What a key's signatures mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A log's (0x01): it said this text.
    Log,
    /// A witness's (0x04): at a time, this was the largest checkpoint it had seen of the log, consistent with all before.
    Witness,
}

impl KeyKind {
    /// The byte that says it in keys and key ids.
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Log),
            0x04 => Some(Self::Witness),
            _ => None,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "a log's key",
            Self::Witness => "a witness's key",
        })
    }
}

/// The text is not a key. The text is not in the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It has not the form of note key text.
    #[error("a {0} key is written `{1}`")]
    Form(&'static str, &'static str),
    /// A name is not empty and has no space, `+` or control character.
    #[error("a key's name must not be empty or hold a space, a plus or a control character")]
    Name,
    /// It is neither an Ed25519 key of a log nor one of a witness.
    #[error("a key of an unknown kind")]
    Kind,
    /// It is of the other kind.
    #[error("this is {0}")]
    OtherKind(KeyKind),
    /// The id in the text is not the key's.
    #[error("the key's id does not fit its name and its bytes: a part of it was changed")]
    Id,
    /// The bytes are no point that signatures can be verified with.
    #[error("the bytes are not a usable Ed25519 public key")]
    Point,
}

/// An origin for a new log: `segue-` and eight random hexadecimal digits.
///
/// # Panics
/// When the system's random source does not answer.
#[must_use]
pub fn new_origin() -> String {
    format!("segue-{}", hex::encode(random::<4>()))
}

/// Without random bytes no key may be made, so a failing source ends the program.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random source answers");
    bytes
}

/// Whether `name` can name a key.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

/// The first four bytes of `SHA-256(name || 0x0A || kind || public key)`.
fn key_id(name: &str, kind: KeyKind, public: &VerifyingKey) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', kind.byte()]);
    hasher.update(public.as_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// `name`, `id` and `base64` of `name+id+base64`. A name has no plus, base64 may.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('+')?;
    let (id, bytes) = rest.split_once('+')?;
    Some((name, id, bytes))
}

/// Whether the id that stands in a key's text is the key's own.
fn check(name: &str, id: &str, kind: KeyKind, public: &VerifyingKey) -> Result<(), InvalidKey> {
    if !is_name(name) {
        return Err(InvalidKey::Name);
    }
    if id != hex::encode(key_id(name, kind, public)) {
        return Err(InvalidKey::Id);
    }
    Ok(())
}

/// What a witness signs: the header, the time, the checkpoint.
fn cosigned(text: &str, at_s: u64) -> Vec<u8> {
    format!("{COSIGNATURE}time {at_s}\n{text}").into_bytes()
}
