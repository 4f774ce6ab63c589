//! A text and who signed it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::key::{VerifierKey, is_name};

/// The longest note that is read, in bytes: the reference implementation's bound.
pub const NOTE_LEN_MAX: usize = 1_000_000;
/// The most signatures that are read, the reference implementation's bound.
pub const SIGNATURES_MAX: usize = 100;
const LINE_START: &str = "— ";
const ID_LEN: usize = 4;

/// The bytes are not a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNote {
    /// Longer than [`NOTE_LEN_MAX`].
    #[error("a note longer than {NOTE_LEN_MAX} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("a note that is not UTF-8")]
    Encoding,
    /// A control character other than a line feed.
    #[error("a note with a control character")]
    ControlCharacter,
    /// The text is not empty and ends with a line feed.
    #[error("a note's text must not be empty and ends with a line feed")]
    Text,
    /// No empty line divides the text from the signatures.
    #[error("a note without an empty line before its signatures")]
    NoSignatures,
    /// A line after the text is not `— name base64`.
    #[error("line {0} of the note's signatures is not written `— <name> <base64>`")]
    Signature(usize),
    /// More than [`SIGNATURES_MAX`].
    #[error("a note with more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

/// A note is not signed by the key that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// No line is the key's.
    #[error("it bears no signature of the key {0}")]
    Missing(String),
    /// A line names the key, and is not its signature over this text.
    #[error("its signature of the key {0} does not verify")]
    Wrong(String),
}

/// A text with one or more signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One line: whose signature it says to be, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: [u8; ID_LEN],
    bytes: Vec<u8>,
}

impl NoteSignature {
    pub(super) fn new(name: &str, id: [u8; ID_LEN], bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            id,
            bytes,
        }
    }

    /// Reads `— name base64` without its line feed.
    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        let decoded = BASE64.decode(encoded).ok()?;
        let (id, bytes) = decoded.split_first_chunk::<ID_LEN>()?;
        (is_name(name) && !bytes.is_empty()).then(|| Self::new(name, *id, bytes.to_vec()))
    }

    /// The name of the key that it says to be of.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key that it says to be of.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The signature, without the key's id.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn names_the_key_of(&self, other: &Self) -> bool {
        self.name == other.name && self.id == other.id
    }

    fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

/// The line, with its line feed.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id, &self.bytes[..]].concat();
        writeln!(f, "{LINE_START}{} {}", self.name, BASE64.encode(bytes))
    }
}

/// Whether `text` can be a note's.
pub(super) fn check_text(text: &str) -> Result<(), InvalidNote> {
    if text.is_empty() || !text.ends_with('\n') {
        return Err(InvalidNote::Text);
    }
    check_characters(text)
}

fn check_characters(text: &str) -> Result<(), InvalidNote> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(InvalidNote::ControlCharacter);
    }
    Ok(())
}

impl SignedNote {
    pub(super) fn new(text: &str, signature: NoteSignature) -> Result<Self, InvalidNote> {
        check_text(text)?;
        let note = Self {
            text: text.to_owned(),
            signatures: vec![signature],
        };
        if note.to_string().len() > NOTE_LEN_MAX {
            return Err(InvalidNote::TooLong);
        }
        Ok(note)
    }

    /// Reads a note. Who signed it is not verified: see [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`InvalidNote`] if the bytes are not one, to the letter.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidNote> {
        if bytes.len() > NOTE_LEN_MAX {
            return Err(InvalidNote::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| InvalidNote::Encoding)?;
        check_characters(note)?;
        let divide = note.rfind("\n\n").ok_or(InvalidNote::NoSignatures)?;
        let (text, lines) = (&note[..=divide], &note[divide + 2..]);
        check_text(text)?;
        Ok(Self {
            text: text.to_owned(),
            signatures: parse_signatures(lines)?,
        })
    }

    /// The text, with the line feed at its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in their order; none of them is verified.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The same note with a further signature.
    ///
    /// # Errors
    /// [`InvalidNote`] if it would be longer than notes may be.
    pub fn with(mut self, signature: NoteSignature) -> Result<Self, InvalidNote> {
        self.signatures.push(signature);
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(InvalidNote::TooManySignatures);
        }
        if self.to_string().len() > NOTE_LEN_MAX {
            return Err(InvalidNote::TooLong);
        }
        Ok(self)
    }

    /// Verifies that `key` signed the text; every line that names the key must be its signature. Gives the latest time of its
    /// cosignatures, in seconds since 1970.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<u64>, NotSigned> {
        let mut times = Vec::new();
        for signature in self.signatures.iter().filter(|signature| signature.is_of(key)) {
            let time = key
                .verify(&self.text, &signature.bytes)
                .map_err(|_| NotSigned::Wrong(key.name().to_owned()))?;
            times.push(time);
        }
        times
            .into_iter()
            .max()
            .ok_or_else(|| NotSigned::Missing(key.name().to_owned()))
    }
}

fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, InvalidNote> {
    let lines = lines.strip_suffix('\n').ok_or(InvalidNote::NoSignatures)?;
    let mut signatures = Vec::new();
    for (at, line) in lines.split('\n').enumerate() {
        if at == SIGNATURES_MAX {
            return Err(InvalidNote::TooManySignatures);
        }
        signatures.push(NoteSignature::parse(line).ok_or(InvalidNote::Signature(at + 1))?);
    }
    Ok(signatures)
}

/// The note as it is read again.
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| write!(f, "{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SigningKey, WitnessKey};
    use super::*;

    fn key() -> SigningKey {
        SigningKey::parse("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
            .expect("a key")
    }

    #[test]
    fn the_text_may_hold_empty_lines() {
        let note = key().sign("a\n\n\nb\n").expect("a note");
        let read = SignedNote::parse(note.to_string().as_bytes()).expect("a note");
        assert_eq!(read, note);
        assert_eq!(read.text(), "a\n\n\nb\n");
    }

    #[test]
    fn what_is_not_a_note_is_refused_with_its_reason() {
        let line = "— a AAAAAAE=\n";
        for (note, why) in [
            (String::new(), InvalidNote::NoSignatures),
            ("text\n".to_owned(), InvalidNote::NoSignatures),
            ("text\n\n".to_owned(), InvalidNote::NoSignatures),
            (format!("\n{line}"), InvalidNote::NoSignatures),
            (format!("text\n{line}"), InvalidNote::NoSignatures),
            (format!("t\next\r\n\n{line}"), InvalidNote::ControlCharacter),
            (format!("text\n\n{}", line.trim_end()), InvalidNote::NoSignatures),
            (
                format!("text\n\n{line}-- a AAAAAAE=\n"),
                InvalidNote::Signature(2),
            ),
            ("text\n\n— a AAAAAA==\n".to_owned(), InvalidNote::Signature(1)),
            ("text\n\n— a+ AAAAAAE=\n".to_owned(), InvalidNote::Signature(1)),
            ("text\n\n—  AAAAAAE=\n".to_owned(), InvalidNote::Signature(1)),
            ("text\n\n— a AAAAAAF=\n".to_owned(), InvalidNote::Signature(1)),
            (
                format!("text\n\n{}", line.repeat(101)),
                InvalidNote::TooManySignatures,
            ),
            ("x".repeat(NOTE_LEN_MAX + 1), InvalidNote::TooLong),
        ] {
            let shown: String = note.chars().take(60).collect();
            assert_eq!(SignedNote::parse(note.as_bytes()), Err(why), "{shown:?}");
        }
        assert_eq!(SignedNote::parse(b"\xff\n\n"), Err(InvalidNote::Encoding));
        assert!(SignedNote::parse(format!("text\n\n{}", line.repeat(100)).as_bytes()).is_ok());
    }

    #[test]
    fn what_cannot_be_a_text_is_not_signed() {
        assert_eq!(key().sign(""), Err(InvalidNote::Text));
        assert_eq!(key().sign("a"), Err(InvalidNote::Text));
        assert_eq!(key().sign("a\tb\n"), Err(InvalidNote::ControlCharacter));
        assert_eq!(
            key().sign(&format!("{}\n", "x".repeat(NOTE_LEN_MAX))),
            Err(InvalidNote::TooLong)
        );
    }

    #[test]
    fn a_note_changed_in_any_byte_is_not_signed_any_more() {
        let note = key().sign("some text\n").expect("a note").to_string();
        for at in 0..note.len() {
            for mask in [1, 0x20, 0x80] {
                let mut bytes = note.as_bytes().to_vec();
                bytes[at] ^= mask;
                let verified =
                    SignedNote::parse(&bytes).is_ok_and(|note| note.verify(&key().verifier()).is_ok());
                assert!(!verified, "byte {at} changed by {mask}");
            }
        }
    }

    #[test]
    fn signatures_of_unknown_keys_are_ignored() {
        let stranger = SigningKey::generate("PeterNeumann").expect("a key");
        let foreign = stranger.sign("text\n").expect("a note").signatures()[0].clone();
        let note = key()
            .sign("text\n")
            .and_then(|note| note.with(foreign))
            .expect("a note");
        assert_eq!(note.verify(&key().verifier()), Ok(None));
        let other = SigningKey::generate("other").expect("a key").verifier();
        assert_eq!(note.verify(&other), Err(NotSigned::Missing("other".to_owned())));
    }

    #[test]
    fn each_signature_of_a_known_key_must_verify() {
        let of_another_text = key().sign("other\n").expect("a note").signatures()[0].clone();
        let note = key()
            .sign("text\n")
            .and_then(|note| note.with(of_another_text))
            .expect("a note");
        assert_eq!(
            note.verify(&key().verifier()),
            Err(NotSigned::Wrong("PeterNeumann".to_owned()))
        );
    }

    #[test]
    fn a_cosignature_says_its_time_and_covers_it() {
        let witness = WitnessKey::generate("witness.example/w1").expect("a key");
        let note = key().sign("log\n1\nroot\n").expect("a note");
        let line = witness.cosign(&note, 1_679_315_147);
        let cosigned = note.clone().with(line.clone()).expect("a note");
        let read = SignedNote::parse(cosigned.to_string().as_bytes()).expect("a note");
        assert_eq!(read.verify(&witness.verifier()), Ok(Some(1_679_315_147)));
        assert_eq!(read.verify(&key().verifier()), Ok(None));

        for at in 0..line.bytes().len() {
            let mut bytes = line.bytes().to_vec();
            bytes[at] ^= 1;
            let changed = note
                .clone()
                .with(NoteSignature::new(line.name(), line.id(), bytes));
            assert!(changed.expect("a note").verify(&witness.verifier()).is_err());
        }
    }
}
