//! Secret keys: of a log, and of a witness.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey as Ed25519Key};
use zeroize::Zeroizing;

use super::{
    InvalidKey, KeyKind, PRIVATE, SIGNATURE_LEN, TIMESTAMP_LEN, VerifierKey, check, cosigned, is_name,
    key_id, random, split,
};
use crate::notes::note::{InvalidNote, NoteSignature, SignedNote, check_text};

const SECRET_FORM: InvalidKey = InvalidKey::Form("secret", "PRIVATE+KEY+<name>+<id>+<base64>");

/// Whose a secret key is.
pub trait Kind {
    /// What its signatures mean.
    const KIND: KeyKind;
}

/// A log's.
#[derive(Debug, Clone, Copy)]
pub enum LogKind {}

/// A witness's.
#[derive(Debug, Clone, Copy)]
pub enum WitnessKind {}

impl Kind for LogKind {
    const KIND: KeyKind = KeyKind::Log;
}

impl Kind for WitnessKind {
    const KIND: KeyKind = KeyKind::Witness;
}

/// The secret key of a log. Its name is the log's origin.
pub type SigningKey = SecretKey<LogKind>;

/// The secret key of a witness.
pub type WitnessKey = SecretKey<WitnessKind>;

/// A named secret key. `Ed25519Key` clears itself when it is dropped.
#[derive(Clone)]
pub struct SecretKey<K> {
    name: String,
    key: Ed25519Key,
    kind: PhantomData<K>,
}

impl<K: Kind> SecretKey<K> {
    /// A new random key called `name`: the origin of a log, or the name of a witness.
    ///
    /// # Errors
    /// [`InvalidKey::Name`] if nothing can be called so.
    pub fn generate(name: &str) -> Result<Self, InvalidKey> {
        if !is_name(name) {
            return Err(InvalidKey::Name);
        }
        let seed = Zeroizing::new(random());
        Ok(Self::new(name, Ed25519Key::from_bytes(&seed)))
    }

    /// Reads `PRIVATE+KEY+name+id+base64`; space at the end is ignored.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is something else.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let rest = text.trim_end().strip_prefix(PRIVATE).ok_or(SECRET_FORM)?;
        let (name, id, bytes) = split(rest).ok_or(SECRET_FORM)?;
        // A buffer of its own: a vector that grows would leave copies behind.
        let mut decoded = Zeroizing::new([0_u8; 33]);
        let len = BASE64.decode_slice(bytes, &mut decoded[..]);
        if len != Ok(decoded.len()) {
            return Err(SECRET_FORM);
        }
        let kind = KeyKind::of(decoded[0]).ok_or(InvalidKey::Kind)?;
        let mut seed = Zeroizing::new([0_u8; 32]);
        seed.copy_from_slice(&decoded[1..]);
        let key = Ed25519Key::from_bytes(&seed);
        check(name, id, kind, &key.verifying_key())?;
        if kind != K::KIND {
            return Err(InvalidKey::OtherKind(kind));
        }
        Ok(Self::new(name, key))
    }

    fn new(name: &str, key: Ed25519Key) -> Self {
        Self {
            name: name.to_owned(),
            key,
            kind: PhantomData,
        }
    }

    /// The key as it is read again.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0_u8; 33]);
        bytes[0] = K::KIND.byte();
        bytes[1..].copy_from_slice(self.key.as_bytes());
        let encoded = Zeroizing::new(BASE64.encode(&bytes[..]));
        let id = hex::encode(self.verifier().id);
        Zeroizing::new([PRIVATE, &self.name, "+", &id, "+", &encoded].concat())
    }

    /// Its name: a log's origin, or a witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures are verified with.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        let public = self.key.verifying_key();
        VerifierKey {
            id: key_id(&self.name, K::KIND, &public),
            name: self.name.clone(),
            kind: K::KIND,
            public,
        }
    }

    fn line(&self, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature::new(&self.name, self.verifier().id, bytes)
    }
}

impl SigningKey {
    /// The note of `text`, signed. The same text gives the same bytes.
    ///
    /// # Errors
    /// [`InvalidNote`] if `text` cannot be a note's.
    pub fn sign(&self, text: &str) -> Result<SignedNote, InvalidNote> {
        check_text(text)?;
        let signature = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        SignedNote::new(text, self.line(signature))
    }
}

impl WitnessKey {
    /// A cosignature of the checkpoint in `note`: that at `at_s`, in seconds since 1970, it was the largest one seen. Whether
    /// it is, is for the caller to have made sure of, and to have stored.
    #[must_use]
    pub fn cosign(&self, note: &SignedNote, at_s: u64) -> NoteSignature {
        let signature = self.key.sign(&cosigned(note.text(), at_s));
        let mut bytes = Vec::with_capacity(TIMESTAMP_LEN + SIGNATURE_LEN);
        bytes.extend_from_slice(&at_s.to_be_bytes());
        bytes.extend_from_slice(&signature.to_bytes());
        self.line(bytes)
    }
}

/// Shows the name only.
impl<K> fmt::Debug for SecretKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, …)", self.name)
    }
}
