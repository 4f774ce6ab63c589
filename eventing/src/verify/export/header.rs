//! The first line.

use serde::{Deserialize, Serialize};

use crate::notes::{SignedCheckpoint, VerifierKey};
use crate::verify::Fault;

/// What the first line of every version of an export begins with.
const MAGIC: &str = "{\"segue_export\":";
/// The version that is written and read here.
const VERSION: u32 = 1;

/// The first line of an export, as it is written. What it says is verified by [`verify`](super::verify).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    segue_export: u32,
    /// The log's name.
    pub origin: String,
    /// How many records follow.
    pub size: u64,
    /// The signed note of the checkpoint of this size.
    pub checkpoint: String,
    /// The key that verifies it, as its maker says.
    pub public_key: String,
}

impl Header {
    /// The header of the export of all that `checkpoint` is about.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, key: &VerifierKey) -> Self {
        Self {
            segue_export: VERSION,
            origin: checkpoint.checkpoint().origin().to_owned(),
            size: checkpoint.checkpoint().size(),
            checkpoint: checkpoint.to_string(),
            public_key: key.to_string(),
        }
    }

    /// The line, without its line feed.
    ///
    /// # Panics
    /// Never: text and numbers can be written as JSON.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("text and numbers are JSON")
    }

    /// Reads the first line, without its line feed; `None` for `line` if the file ends within it, then with what there is.
    ///
    /// # Errors
    /// [`Fault`] if it is not a header, to the letter.
    pub fn parse(line: &[u8], is_whole: bool) -> Result<Self, Fault> {
        if !is_whole {
            let magic = MAGIC.as_bytes();
            let is_beginning = !line.is_empty() && (line.starts_with(magic) || magic.starts_with(line));
            return Err(if is_beginning {
                Fault::TruncatedHeader
            } else {
                Fault::NotAnExport
            });
        }
        let rest = line.strip_prefix(MAGIC.as_bytes()).ok_or(Fault::NotAnExport)?;
        let version = rest.split(|byte| *byte == b',').next().unwrap_or_default();
        if version != VERSION.to_string().as_bytes() {
            let version: Vec<u8> = version.iter().copied().take(20).collect();
            return Err(Fault::UnknownVersion(
                String::from_utf8_lossy(&version).into_owned(),
            ));
        }
        let header: Self =
            serde_json::from_slice(line).map_err(|_| Fault::Header("it has not the fields of one"))?;
        if header.line().as_bytes() != line {
            return Err(Fault::Header("it is written in another form"));
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::{Checkpoint, SigningKey};

    fn header() -> Header {
        let key = SigningKey::generate("log").expect("a key");
        let signed = Checkpoint::new("log", 3, [1; 32])
            .and_then(|checkpoint| checkpoint.sign(&key))
            .expect("signed");
        Header::new(&signed, &key.verifier())
    }

    #[test]
    fn a_header_reads_back_and_has_one_form() {
        let line = header().line();
        assert_eq!(Header::parse(line.as_bytes(), true), Ok(header_of(&line)));
        for (from, to) in [
            (":3,", ": 3,"),
            (":3,", ":3.0,"),
            ("\"log\"", "\"l\\u006fg\""),
            ("\"size\"", "\"more\""),
        ] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line);
            assert!(matches!(
                Header::parse(changed.as_bytes(), true),
                Err(Fault::Header(_))
            ));
        }
    }

    fn header_of(line: &str) -> Header {
        serde_json::from_str(line).expect("JSON")
    }

    #[test]
    fn what_is_no_header_is_told_apart_from_another_version_and_from_half_of_one() {
        let whole = |text: &str| Header::parse(text.as_bytes(), true);
        let cut = |text: &str| Header::parse(text.as_bytes(), false);
        assert_eq!(whole(""), Err(Fault::NotAnExport));
        assert_eq!(whole("position,id"), Err(Fault::NotAnExport));
        assert_eq!(
            whole("{\"segue_export\":2,\"x\":1}"),
            Err(Fault::UnknownVersion("2".to_owned()))
        );
        assert_eq!(cut(""), Err(Fault::NotAnExport));
        assert_eq!(cut("PK"), Err(Fault::NotAnExport));
        assert_eq!(cut("{\"seg"), Err(Fault::TruncatedHeader));
        assert_eq!(cut(&header().line()), Err(Fault::TruncatedHeader));
    }
}
