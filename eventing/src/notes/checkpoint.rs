//! What a log says of itself: so many records, and this root.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::note::{InvalidNote, NotSigned, NoteSignature, SignedNote};
use super::{SigningKey, VerifierKey, decode_base64, decode_number};

/// The text or the fields are not a checkpoint's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCheckpoint {
    /// It is not a signed note.
    #[error(transparent)]
    Note(#[from] InvalidNote),
    /// The origin is empty, or not on one line.
    #[error("a checkpoint's first line is the log's origin and must not be empty")]
    Origin,
    /// The size is not a number in its one form.
    #[error("a checkpoint's second line is the log's size, in digits")]
    Size,
    /// The root is not 32 bytes in base64.
    #[error("a checkpoint's third line is the root of the log's tree: 32 bytes in base64")]
    Root,
    /// An extension line is empty.
    #[error("a checkpoint's further lines must not be empty")]
    Extension,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is of another log.
    #[error("it is a checkpoint of the log {actual}, not of {expected}")]
    OtherLog {
        /// The key's name.
        expected: String,
        /// The checkpoint's origin.
        actual: String,
    },
    /// It is not signed by the key.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
}

/// The size of a log and the root of its tree at this size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: [u8; 32],
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint of the first `size` records of the log `origin`.
    ///
    /// # Errors
    /// [`InvalidCheckpoint::Origin`] if `origin` is empty or holds a control character.
    pub fn new(origin: impl Into<String>, size: u64, root: [u8; 32]) -> Result<Self, InvalidCheckpoint> {
        let origin = origin.into();
        if origin.is_empty() || origin.bytes().any(|byte| byte < 0x20) {
            return Err(InvalidCheckpoint::Origin);
        }
        Ok(Self {
            origin,
            size,
            root,
            extensions: Vec::new(),
        })
    }

    /// Reads the text of a checkpoint's note.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`] if it is something else.
    pub fn parse(text: &str) -> Result<Self, InvalidCheckpoint> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let origin = lines.next().unwrap_or_default();
        let size = lines.next().and_then(decode_number);
        let size = size.ok_or(InvalidCheckpoint::Size)?;
        let root = lines.next().and_then(decode_base64);
        let root = root.ok_or(InvalidCheckpoint::Root)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(InvalidCheckpoint::Extension);
        }
        Ok(Self {
            extensions,
            ..Self::new(origin, size, root)?
        })
    }

    /// Who says it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many records: positions 1 to `size`.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the Merkle tree over them.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// Further lines, which other logs may have; ours has none.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The text that is signed, with a line feed at its end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root));
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Signs it. That no signed checkpoint contradicts an earlier one is for the caller to make sure of.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`] if the origin is longer than a note may be.
    pub fn sign(self, key: &SigningKey) -> Result<SignedCheckpoint, InvalidCheckpoint> {
        let note = key.sign(&self.text())?;
        Ok(SignedCheckpoint {
            checkpoint: self,
            note,
        })
    }
}

/// A checkpoint with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl SignedCheckpoint {
    /// Reads a signed checkpoint. Who signed it is not verified: see [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`InvalidCheckpoint`] if the bytes are not one, to the letter.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidCheckpoint> {
        let note = SignedNote::parse(bytes)?;
        Ok(Self {
            checkpoint: Checkpoint::parse(note.text())?,
            note,
        })
    }

    /// What it says.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note that says it.
    #[must_use]
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Verifies that it is of the log that `key` is named after, and signed by that key.
    ///
    /// # Errors
    /// [`Untrusted`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), Untrusted> {
        let signed = self.note.verify(key);
        // A signature of this very key over another text tells that the text was changed, its origin perhaps.
        let is_wrong = matches!(signed, Err(NotSigned::Wrong(_)));
        if self.checkpoint.origin != key.name() && !is_wrong {
            return Err(Untrusted::OtherLog {
                expected: key.name().to_owned(),
                actual: self.checkpoint.origin.clone(),
            });
        }
        signed?;
        Ok(())
    }

    /// Verifies it with `key`, or else with one of `older`: keys that signed the log before that one.
    ///
    /// # Errors
    /// What `key` has against it, if no other one is for it.
    pub fn verify_with_older(&self, key: &VerifierKey, older: &[VerifierKey]) -> Result<(), Untrusted> {
        let verified = self.verify(key);
        match older.iter().any(|older| self.verify(older).is_ok()) {
            true => Ok(()),
            false => verified,
        }
    }

    /// Whether a line of it names a key that a line of `other` names. Neither is verified.
    pub(crate) fn names_a_key_of(&self, other: &Self) -> bool {
        let others = other.note.signatures();
        let is_of_other = |line: &NoteSignature| others.iter().any(|other| other.names_the_key_of(line));
        self.note.signatures().iter().any(is_of_other)
    }

    /// The same checkpoint with a further signature, as of a witness.
    ///
    /// # Errors
    /// [`InvalidNote`] if it would be longer than notes may be.
    pub fn with(self, signature: NoteSignature) -> Result<Self, InvalidNote> {
        Ok(Self {
            note: self.note.with(signature)?,
            ..self
        })
    }
}

/// The note as it is read again.
impl std::fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.note.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::WitnessKey;
    use super::*;

    /// The example of the specification of cosignatures. Its keys are not published.
    const SPEC: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    #[test]
    fn the_example_of_the_specification_reads_and_writes_back() {
        let read = SignedCheckpoint::parse(SPEC.as_bytes()).expect("a checkpoint");
        assert_eq!(read.checkpoint().origin(), "example.com/behind-the-sofa");
        assert_eq!(read.checkpoint().size(), 20_852_163);
        assert_eq!(read.checkpoint().root()[..4], [0x0a, 0xc5, 0x18, 0x6a]);
        assert_eq!(read.note().signatures().len(), 2);
        assert_eq!(read.note().signatures()[1].id(), [0x8d, 0x66, 0xcf, 0x3f]);
        assert_eq!(read.note().signatures()[1].bytes().len(), 72);
        assert_eq!(read.to_string(), SPEC);
    }

    #[test]
    fn a_signed_checkpoint_verifies_with_its_key_only() {
        let key = SigningKey::generate("segue-0123abcd").expect("a key");
        let checkpoint = Checkpoint::new("segue-0123abcd", 7, [9; 32]).expect("a checkpoint");
        let signed = checkpoint.sign(&key).expect("signed");
        let read = SignedCheckpoint::parse(signed.to_string().as_bytes()).expect("a checkpoint");
        assert_eq!(read, signed);
        assert_eq!(read.verify(&key.verifier()), Ok(()));

        let same_name = SigningKey::generate("segue-0123abcd").expect("a key").verifier();
        assert!(matches!(
            read.verify(&same_name),
            Err(Untrusted::NotSigned(NotSigned::Missing(_)))
        ));
        let other_log = SigningKey::generate("other").expect("a key");
        assert!(matches!(
            read.verify(&other_log.verifier()),
            Err(Untrusted::OtherLog { .. })
        ));
    }

    #[test]
    fn a_key_of_another_log_cannot_vouch_for_this_one() {
        let other = SigningKey::generate("other").expect("a key");
        let signed = Checkpoint::new("this", 7, [9; 32])
            .and_then(|checkpoint| checkpoint.sign(&other))
            .expect("signed");
        assert_eq!(
            signed.verify(&other.verifier()),
            Err(Untrusted::OtherLog {
                expected: "other".to_owned(),
                actual: "this".to_owned()
            })
        );
    }

    #[test]
    fn a_cosigned_checkpoint_is_still_the_logs() {
        let key = SigningKey::generate("log").expect("a key");
        let witness = WitnessKey::generate("witness").expect("a key");
        let signed = Checkpoint::new("log", 0, [0; 32])
            .and_then(|checkpoint| checkpoint.sign(&key))
            .expect("signed");
        let line = witness.cosign(signed.note(), 1);
        let cosigned = signed.with(line).expect("a note");
        assert_eq!(cosigned.verify(&key.verifier()), Ok(()));
        assert_eq!(cosigned.note().verify(&witness.verifier()), Ok(Some(1)));
    }

    #[test]
    fn what_is_not_a_checkpoint_is_refused_with_its_reason() {
        let root = BASE64.encode([7; 32]);
        for (text, why) in [
            (String::new(), InvalidCheckpoint::Size),
            (format!("\n1\n{root}\n"), InvalidCheckpoint::Origin),
            (format!("a\n01\n{root}\n"), InvalidCheckpoint::Size),
            (format!("a\n-1\n{root}\n"), InvalidCheckpoint::Size),
            ("a\n1\n".to_owned(), InvalidCheckpoint::Root),
            ("a\n1\nAAAA\n".to_owned(), InvalidCheckpoint::Root),
            (format!("a\n1\n{root}\n\n"), InvalidCheckpoint::Extension),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(why), "{text:?}");
        }
        let extended = format!("a\n1\n{root}\nmore\n");
        assert_eq!(
            Checkpoint::parse(&extended).expect("a checkpoint").text(),
            extended
        );
        assert_eq!(
            Checkpoint::new("a\nb", 1, [0; 32]),
            Err(InvalidCheckpoint::Origin)
        );
    }
}
