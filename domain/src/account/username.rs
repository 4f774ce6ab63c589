//! What a user name may be.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// A user name in NFKC: 3 to 64 characters, none of them white space or a control character.
///
/// It cannot be deserialized, so that every one has passed [`Username::parse`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

/// Why a text is no [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// It has fewer or more characters than allowed.
    #[error("a user name has {min} to {max} characters", min = Username::CHARS_MIN, max = Username::CHARS_MAX)]
    Length,
    /// It holds white space or a control character.
    #[error("a user name has no white space and no control characters")]
    Character,
}

impl Username {
    /// The fewest characters, counted after normalisation.
    pub const CHARS_MIN: usize = 3;
    /// The most characters, counted after normalisation.
    pub const CHARS_MAX: usize = 64;

    /// Normalises `text` to NFKC and checks it.
    ///
    /// # Errors
    /// [`InvalidUsername`] names the first rule that the normalised text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidUsername> {
        // Normalisation may lengthen a text, so a bound comes first: nobody is made to normalise a megabyte.
        if text.chars().take(Self::CHARS_MAX + 1).count() > Self::CHARS_MAX {
            return Err(InvalidUsername::Length);
        }
        let name: String = text.nfkc().collect();
        if !(Self::CHARS_MIN..=Self::CHARS_MAX).contains(&name.chars().count()) {
            return Err(InvalidUsername::Length);
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidUsername::Character);
        }
        Ok(Self(name))
    }

    /// The name as its owner wrote it, in NFKC.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two names are the same name: NFKC of the lower case.
    pub fn canonical(&self) -> String {
        self.0.to_lowercase().nfkc().collect()
    }
}

impl fmt::Debug for Username {
    /// Personal: shows nothing of the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username(..)")
    }
}
