//! Public keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};

use super::{InvalidKey, KeyKind, TIMESTAMP_LEN, check, cosigned, key_id, split};
use crate::notes::decode_base64;

const PUBLIC_FORM: InvalidKey = InvalidKey::Form("public", "<name>+<id>+<base64>");

/// The signature is not one of this key over this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct WrongSignature;

/// A public key, with the name and the kind that its id covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    pub(super) name: String,
    pub(super) kind: KeyKind,
    pub(super) id: [u8; 4],
    pub(super) public: VerifyingKey,
}

impl VerifierKey {
    /// Its name: a log's origin, or a witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures mean.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// What signature lines name it by, besides its name.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Verifies one signature over `text`, as [`NoteSignature::bytes`](crate::notes::NoteSignature::bytes) holds it. Gives a cosignature's time, in seconds since 1970.
    ///
    /// # Errors
    /// [`WrongSignature`].
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, WrongSignature> {
        match self.kind {
            KeyKind::Log => self.verify_bytes(text.as_bytes(), signature).map(|()| None),
            KeyKind::Witness => {
                let (time, signature) = signature
                    .split_first_chunk::<TIMESTAMP_LEN>()
                    .ok_or(WrongSignature)?;
                let at_s = u64::from_be_bytes(*time);
                // The format's own bound on times.
                if i64::try_from(at_s).is_err() {
                    return Err(WrongSignature);
                }
                self.verify_bytes(&cosigned(text, at_s), signature)
                    .map(|()| Some(at_s))
            }
        }
    }

    fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), WrongSignature> {
        let signature = Signature::from_slice(signature).map_err(|_| WrongSignature)?;
        self.public
            .verify_strict(message, &signature)
            .map_err(|_| WrongSignature)
    }
}

/// Reads `name+id+base64`; space at the end is ignored.
impl FromStr for VerifierKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (name, id, bytes) = split(text.trim_end()).ok_or(PUBLIC_FORM)?;
        let [kind, public @ ..] = decode_base64::<33>(bytes).ok_or(PUBLIC_FORM)?;
        let kind = KeyKind::of(kind).ok_or(InvalidKey::Kind)?;
        let public = VerifyingKey::from_bytes(&public).map_err(|_| InvalidKey::Point)?;
        // A point of small order verifies signatures that nobody made.
        if public.is_weak() {
            return Err(InvalidKey::Point);
        }
        check(name, id, kind, &public)?;
        Ok(Self {
            name: name.to_owned(),
            kind,
            id: key_id(name, kind, &public),
            public,
        })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 33];
        bytes[0] = self.kind.byte();
        bytes[1..].copy_from_slice(self.public.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            BASE64.encode(bytes)
        )
    }
}
