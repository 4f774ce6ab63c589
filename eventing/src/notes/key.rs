//! Keys in note key text: `PRIVATE+KEY+name+id+base64` and `name+id+base64`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey as Ed25519Key, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::decode_base64;
use super::note::{InvalidNote, NoteSignature, SignedNote, check_text};

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

const SECRET_FORM: InvalidKey = InvalidKey::Form("secret", "PRIVATE+KEY+<name>+<id>+<base64>");
const PUBLIC_FORM: InvalidKey = InvalidKey::Form("public", "<name>+<id>+<base64>");

/// The signature is not one of this key over this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct WrongSignature;

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

/// A named secret key of either kind. `Ed25519Key` clears itself when it is dropped.
#[derive(Clone)]
struct Secret {
    name: String,
    kind: KeyKind,
    key: Ed25519Key,
}

impl Secret {
    fn new(name: &str, kind: KeyKind) -> Result<Self, InvalidKey> {
        if !is_name(name) {
            return Err(InvalidKey::Name);
        }
        let seed = Zeroizing::new(random());
        Ok(Self {
            name: name.to_owned(),
            kind,
            key: Ed25519Key::from_bytes(&seed),
        })
    }

    fn parse(text: &str, wanted: KeyKind) -> Result<Self, InvalidKey> {
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
        check(name, id, kind, wanted, &key.verifying_key())?;
        Ok(Self {
            name: name.to_owned(),
            kind,
            key,
        })
    }

    fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0_u8; 33]);
        bytes[0] = self.kind.byte();
        bytes[1..].copy_from_slice(self.key.as_bytes());
        let encoded = Zeroizing::new(BASE64.encode(&bytes[..]));
        let id = hex::encode(self.verifier().id);
        Zeroizing::new([PRIVATE, &self.name, "+", &id, "+", &encoded].concat())
    }

    fn verifier(&self) -> VerifierKey {
        let public = self.key.verifying_key();
        VerifierKey {
            id: key_id(&self.name, self.kind, &public),
            name: self.name.clone(),
            kind: self.kind,
            public,
        }
    }

    fn line(&self, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature::new(&self.name, self.verifier().id, bytes)
    }
}

/// Shows the name only.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, …)", self.name)
    }
}

/// `name`, `id` and `base64` of `name+id+base64`. A name has no plus, base64 may.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('+')?;
    let (id, bytes) = rest.split_once('+')?;
    Some((name, id, bytes))
}

fn check(
    name: &str,
    id: &str,
    kind: KeyKind,
    wanted: KeyKind,
    public: &VerifyingKey,
) -> Result<(), InvalidKey> {
    if !is_name(name) {
        return Err(InvalidKey::Name);
    }
    if id != hex::encode(key_id(name, kind, public)) {
        return Err(InvalidKey::Id);
    }
    if kind == wanted {
        Ok(())
    } else {
        Err(InvalidKey::OtherKind(kind))
    }
}

/// The secret key of a log. Its name is the log's origin.
#[derive(Debug, Clone)]
pub struct SigningKey(Secret);

impl SigningKey {
    /// A new random key of the log `origin`.
    ///
    /// # Errors
    /// [`InvalidKey::Name`] if `origin` cannot name a key.
    pub fn generate(origin: &str) -> Result<Self, InvalidKey> {
        Secret::new(origin, KeyKind::Log).map(Self)
    }

    /// Reads `PRIVATE+KEY+name+id+base64`; space at the end is ignored.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is something else.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        Secret::parse(text, KeyKind::Log).map(Self)
    }

    /// The key as it is read again.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        self.0.text()
    }

    /// Its name, the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What its signatures are verified with.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.0.verifier()
    }

    /// The note of `text`, signed. The same text gives the same bytes.
    ///
    /// # Errors
    /// [`InvalidNote`] if `text` cannot be a note's.
    pub fn sign(&self, text: &str) -> Result<SignedNote, InvalidNote> {
        check_text(text)?;
        let signature = self.0.key.sign(text.as_bytes()).to_bytes().to_vec();
        SignedNote::new(text, self.0.line(signature))
    }
}

/// The secret key of a witness.
#[derive(Debug, Clone)]
pub struct WitnessKey(Secret);

impl WitnessKey {
    /// A new random key of the witness `name`.
    ///
    /// # Errors
    /// [`InvalidKey::Name`] if `name` cannot name a key.
    pub fn generate(name: &str) -> Result<Self, InvalidKey> {
        Secret::new(name, KeyKind::Witness).map(Self)
    }

    /// Reads `PRIVATE+KEY+name+id+base64`; space at the end is ignored.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is something else.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        Secret::parse(text, KeyKind::Witness).map(Self)
    }

    /// The key as it is read again.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        self.0.text()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What its cosignatures are verified with.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.0.verifier()
    }

    /// A cosignature of the checkpoint in `note`: that at `at_s`, in seconds since 1970, it was the largest one seen. Whether
    /// it is, is for the caller to have made sure of, and to have stored.
    #[must_use]
    pub fn cosign(&self, note: &SignedNote, at_s: u64) -> NoteSignature {
        let signature = self.0.key.sign(&cosigned(note.text(), at_s));
        let mut bytes = Vec::with_capacity(TIMESTAMP_LEN + SIGNATURE_LEN);
        bytes.extend_from_slice(&at_s.to_be_bytes());
        bytes.extend_from_slice(&signature.to_bytes());
        self.0.line(bytes)
    }
}

/// What a witness signs: the header, the time, the checkpoint.
fn cosigned(text: &str, at_s: u64) -> Vec<u8> {
    format!("{COSIGNATURE}time {at_s}\n{text}").into_bytes()
}

/// A public key, with the name and the kind that its id covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: [u8; 4],
    public: VerifyingKey,
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

    /// Verifies one signature over `text`, as [`NoteSignature::bytes`] holds it. Gives a cosignature's time, in seconds since 1970.
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
        check(name, id, kind, kind, &public)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Go's `golang.org/x/mod/sumdb/note`, the first implementation of the format.
    const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const SIGNED: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem \
        is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    /// The example of the specification of signed notes.
    const SPEC_PUBLIC: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const SPEC_SIGNED: &str = "This is an example message.\n\n— example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn the_known_key_signs_the_known_note() {
        let key = SigningKey::parse(SECRET).expect("a key");
        assert_eq!(*key.text(), SECRET);
        assert_eq!(key.verifier().to_string(), PUBLIC);
        assert_eq!(key.sign(TEXT).expect("a note").to_string(), SIGNED);
    }

    #[test]
    fn the_known_notes_verify_with_the_known_keys() {
        for (key, note) in [(PUBLIC, SIGNED), (SPEC_PUBLIC, SPEC_SIGNED)] {
            let key: VerifierKey = key.parse().expect("a key");
            let note = SignedNote::parse(note.as_bytes()).expect("a note");
            assert_eq!(note.verify(&key), Ok(None));
        }
    }

    #[test]
    fn a_key_changed_in_any_character_is_refused() {
        let written = |text: &str| -> Option<String> {
            match text.strip_prefix(PRIVATE) {
                Some(_) => SigningKey::parse(text).ok().map(|key| key.text().to_string()),
                None => text.parse().ok().map(|key: VerifierKey| key.to_string()),
            }
        };
        for key in [SECRET, PUBLIC] {
            assert_eq!(written(key).as_deref(), Some(key));
            for at in 0..key.len() {
                for mask in [1, 0x10, 0x20] {
                    let mut bytes = key.as_bytes().to_vec();
                    bytes[at] ^= mask;
                    let changed = String::from_utf8(bytes).expect("ASCII");
                    assert_eq!(written(&changed), None, "{changed}");
                }
                assert_eq!(written(&key[..at]), None, "cut at {at}");
            }
        }
    }

    #[test]
    fn a_key_of_the_other_kind_says_so() {
        let log = SigningKey::generate("log.example").expect("a key");
        let witness = WitnessKey::generate("witness.example").expect("a key");
        assert_eq!(
            WitnessKey::parse(&log.text()).err(),
            Some(InvalidKey::OtherKind(KeyKind::Log))
        );
        assert_eq!(
            SigningKey::parse(&witness.text()).err(),
            Some(InvalidKey::OtherKind(KeyKind::Witness))
        );
        assert_eq!(
            WitnessKey::parse(&witness.text()).expect("a key").verifier(),
            witness.verifier()
        );
    }

    #[test]
    fn a_point_of_small_order_is_no_key() {
        let identity = {
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        };
        let public = VerifyingKey::from_bytes(&identity).expect("a point");
        let key = VerifierKey {
            name: "weak".to_owned(),
            kind: KeyKind::Log,
            id: key_id("weak", KeyKind::Log, &public),
            public,
        };
        assert_eq!(key.to_string().parse::<VerifierKey>(), Err(InvalidKey::Point));
    }

    #[test]
    fn a_name_has_no_space_plus_or_control_character() {
        for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{0}"] {
            assert_eq!(
                SigningKey::generate(name).err(),
                Some(InvalidKey::Name),
                "{name:?}"
            );
        }
        assert!(SigningKey::generate("Österreich.example/log").is_ok());
    }

    #[test]
    fn a_secret_key_is_not_shown() {
        let shown = format!("{:?}", SigningKey::parse(SECRET).expect("a key"));
        assert_eq!(shown, "SigningKey((PeterNeumann, …))");
    }

    #[test]
    fn new_keys_and_origins_differ() {
        assert_ne!(new_origin(), new_origin());
        assert_eq!(new_origin().len(), "segue-".len() + 8);
        let key = || SigningKey::generate("a").expect("a key");
        assert_ne!(key().text(), key().text());
    }
}
