//! Session tokens: 256 random bits behind a prefix that secret scanners can find.
//!
//! A token means nothing by itself and is looked up by its SHA-256, which is all that is ever stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::SessionHash;
use zeroize::Zeroizing;

const PREFIX: &str = "segue_";
const RANDOM_BYTES: usize = 32;
/// 32 bytes in base64 without padding.
const ENCODED_LENGTH: usize = 43;

/// A session token in the clear. It is wiped from memory when dropped and has no `Debug` on purpose.
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    /// Draws a new token from the operating system.
    ///
    /// # Errors
    /// When the operating system has no randomness to give; no token exists then.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut random = Zeroizing::new([0u8; RANDOM_BYTES]);
        getrandom::fill(random.as_mut_slice())?;
        Ok(Self(Zeroizing::new(format!(
            "{PREFIX}{}",
            URL_SAFE_NO_PAD.encode(random.as_slice())
        ))))
    }

    /// Takes a token that a caller presents. The length must be exact and the encoding canonical, so that no two
    /// texts are the same token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        if encoded.len() != ENCODED_LENGTH {
            return None;
        }
        let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        (decoded.len() == RANDOM_BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text that the caller gets.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored in its place.
    #[must_use]
    pub fn hash(&self) -> SessionHash {
        SessionHash::of(self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_token_is_taken_back() {
        let token = SessionToken::draw().unwrap();
        let again = SessionToken::parse(token.expose()).unwrap();
        assert_eq!(token.hash(), again.hash());
    }

    #[test]
    fn two_tokens_differ() {
        assert_ne!(
            SessionToken::draw().unwrap().expose(),
            SessionToken::draw().unwrap().expose()
        );
    }

    #[test]
    fn a_cut_padded_or_otherwise_changed_token_is_refused() {
        let token = SessionToken::draw().unwrap();
        let text = token.expose();
        let cut = &text[..text.len() - 1];
        for wrong in [
            cut,
            &format!("{text}A"),
            &format!("{text}="),
            &text.to_uppercase(),
            "",
            "segue_",
        ] {
            assert!(SessionToken::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_last_character_has_one_spelling() {
        // 43 characters hold 258 bits; the two left over must be zero.
        let text = format!("segue_{}B", "A".repeat(42));
        assert!(SessionToken::parse(&text).is_none());
    }
}
