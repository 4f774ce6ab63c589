//! One file that proves that a record is in the log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::checkpoint::{InvalidCheckpoint, SignedCheckpoint};
use super::note::NOTE_LEN_MAX;
use super::{decode_base64, decode_number};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";
/// A path has a hash for each level of the tree, and a tree of 2^64 leaves has 64 levels.
pub const PROOF_HASHES_MAX: usize = 64;
/// The longest file that is read: a note, its hashes and as much extra data again.
const LEN_MAX: usize = 3 * NOTE_LEN_MAX;

/// The bytes are not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// Longer than any proof.
    #[error("a proof longer than {LEN_MAX} bytes")]
    TooLong,
    /// It is something else altogether.
    #[error("not a .tlog-proof file: its first line is not `c2sp.org/tlog-proof@v1`")]
    Foreign,
    /// The line of extra data is not base64 in its one form.
    #[error("the proof's extra data is not base64")]
    Extra,
    /// The line `index N` is missing, or is not written so.
    #[error("the proof does not name the record's place as `index <number>`")]
    Index,
    /// A hash is not 32 bytes in base64, or there are more than a tree is deep.
    #[error("line {0} of the proof's hashes is not 32 bytes in base64, or is one too many")]
    Hash(usize),
    /// What follows the hashes is no checkpoint.
    #[error("the proof's checkpoint: {0}")]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The record lies beyond the checkpoint.
    #[error("the proof's index lies beyond its checkpoint")]
    BeyondCheckpoint,
}

/// The place of a record, the path from its leaf to the root, and a checkpoint with that root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionNote {
    /// Whatever its maker put in; nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// Counted from 0: the record's position less one.
    pub index: u64,
    /// From the leaf's sibling up to the root's child, as RFC 6962, section 2.1.1, has them.
    pub hashes: Vec<[u8; 32]>,
    /// Of the log that the record is in.
    pub checkpoint: SignedCheckpoint,
}

impl InclusionNote {
    /// Reads a `.tlog-proof` file. Neither the path nor a signature is verified.
    ///
    /// # Errors
    /// [`InvalidProof`] if the bytes are not one, to the letter.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidProof> {
        if bytes.len() > LEN_MAX {
            return Err(InvalidProof::TooLong);
        }
        let rest = bytes
            .strip_prefix(FIRST_LINE.as_bytes())
            .ok_or(InvalidProof::Foreign)?;
        let (extra, rest) = parse_extra(rest)?;
        let (index, rest) = parse_index(rest)?;
        let (hashes, rest) = parse_hashes(rest)?;
        let checkpoint = SignedCheckpoint::parse(rest)?;
        if index >= checkpoint.checkpoint().size() {
            return Err(InvalidProof::BeyondCheckpoint);
        }
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint,
        })
    }
}

/// The first line and what follows it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let len = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&bytes[..len]).ok()?;
    Some((line, &bytes[len + 1..]))
}

fn parse_extra(bytes: &[u8]) -> Result<(Option<Vec<u8>>, &[u8]), InvalidProof> {
    if !bytes.starts_with(b"extra ") {
        return Ok((None, bytes));
    }
    let (written, rest) = line(bytes).ok_or(InvalidProof::Extra)?;
    let decoded = written
        .strip_prefix("extra ")
        .and_then(|extra| BASE64.decode(extra).ok());
    Ok((Some(decoded.ok_or(InvalidProof::Extra)?), rest))
}

fn parse_index(bytes: &[u8]) -> Result<(u64, &[u8]), InvalidProof> {
    let (written, rest) = line(bytes).ok_or(InvalidProof::Index)?;
    let index = written.strip_prefix("index ").and_then(decode_number);
    Ok((index.ok_or(InvalidProof::Index)?, rest))
}

fn parse_hashes(mut bytes: &[u8]) -> Result<(Vec<[u8; 32]>, &[u8]), InvalidProof> {
    let mut hashes = Vec::new();
    loop {
        let invalid = InvalidProof::Hash(hashes.len() + 1);
        let (written, rest) = line(bytes).ok_or(invalid)?;
        if written.is_empty() {
            return Ok((hashes, rest));
        }
        if hashes.len() == PROOF_HASHES_MAX {
            return Err(invalid);
        }
        hashes.push(decode_base64(written).ok_or(invalid)?);
        bytes = rest;
    }
}

/// The file's text as it is read again.
impl std::fmt::Display for InclusionNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(FIRST_LINE)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Checkpoint, SigningKey};
    use super::*;

    fn proof(extra: Option<&[u8]>, hashes: usize) -> InclusionNote {
        let key = SigningKey::generate("log").expect("a key");
        let checkpoint = Checkpoint::new("log", 9, [1; 32]).and_then(|checkpoint| checkpoint.sign(&key));
        InclusionNote {
            extra: extra.map(<[u8]>::to_vec),
            index: 8,
            hashes: vec![[7; 32]; hashes],
            checkpoint: checkpoint.expect("signed"),
        }
    }

    #[test]
    fn every_form_of_a_proof_reads_back_as_it_was_written() {
        for extra in [None, Some(&b""[..]), Some(b"some data")] {
            for hashes in [0, 1, PROOF_HASHES_MAX] {
                let proof = proof(extra, hashes);
                assert_eq!(InclusionNote::parse(proof.to_string().as_bytes()), Ok(proof));
            }
        }
    }

    #[test]
    fn what_is_not_a_proof_is_refused_with_its_reason() {
        let written = proof(Some(b"x"), 1).to_string();
        let refused = |from: &str, to: &str| {
            let changed = written.replacen(from, to, 1);
            assert_ne!(changed, written, "{from:?} is not in the proof");
            InclusionNote::parse(changed.as_bytes()).expect_err("not a proof")
        };
        assert_eq!(InclusionNote::parse(b""), Err(InvalidProof::Foreign));
        assert_eq!(refused("@v1", "@v2"), InvalidProof::Foreign);
        assert_eq!(refused("extra eA==", "extra e"), InvalidProof::Extra);
        assert_eq!(refused("extra", "Extra"), InvalidProof::Index);
        assert_eq!(refused("index 8", "index 08"), InvalidProof::Index);
        assert_eq!(refused("index 8", "index 9"), InvalidProof::BeyondCheckpoint);
        assert_eq!(refused("BwcH", "Bwc"), InvalidProof::Hash(1));
        assert_eq!(refused("\n\nlog", "\nlog"), InvalidProof::Hash(2));
        assert_eq!(
            refused("\nlog\n9", "\nlog\nx"),
            InvalidProof::Checkpoint(InvalidCheckpoint::Size)
        );
        let long = proof(None, PROOF_HASHES_MAX + 1).to_string();
        assert_eq!(
            InclusionNote::parse(long.as_bytes()),
            Err(InvalidProof::Hash(PROOF_HASHES_MAX + 1))
        );
    }

    #[test]
    fn no_shortened_proof_is_read() {
        let written = proof(Some(b"x"), 3).to_string();
        for end in 0..written.len() {
            assert!(
                InclusionNote::parse(&written.as_bytes()[..end]).is_err(),
                "cut at {end}"
            );
        }
    }
}
