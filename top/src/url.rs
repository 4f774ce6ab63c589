//! Where a process is asked.

use std::fmt;
use std::str::FromStr;

/// The address of a process, as `http://127.0.0.1:5000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessUrl(String);

/// The text is no address of a process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is no address at all.
    #[error("{0:?} is no address, as http://127.0.0.1:5000")]
    NoUrl(String),
    /// Processes answer by plain HTTP, behind whatever terminates TLS.
    #[error("{0:?} does not begin with http://: processes are asked where they listen, without TLS")]
    NotHttp(String),
    /// It has more than a host and a port.
    #[error("{0:?} has more than a host and a port")]
    NotBare(String),
}

impl FromStr for ProcessUrl {
    type Err = InvalidUrl;

    /// Takes `http://host:port`, also without `http://`.
    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let whole = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let url = reqwest::Url::parse(&whole).map_err(|_| InvalidUrl::NoUrl(text.to_owned()))?;
        if url.scheme() != "http" {
            return Err(InvalidUrl::NotHttp(text.to_owned()));
        }
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidUrl::NotBare(text.to_owned()));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl AsRef<str> for ProcessUrl {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_by_plain_http() {
        let url = |text: &str| text.parse::<ProcessUrl>();
        for text in ["http://rest:5000", "rest:5000", "http://rest:5000/"] {
            assert_eq!(url(text).expect("it is one").as_ref(), "http://rest:5000");
        }
        assert!(matches!(url("https://rest"), Err(InvalidUrl::NotHttp(_))));
        assert!(matches!(url("http://rest/metrics"), Err(InvalidUrl::NotBare(_))));
        assert!(matches!(
            url("http://me:secret@rest"),
            Err(InvalidUrl::NotBare(_))
        ));
        assert!(matches!(url("http://"), Err(InvalidUrl::NoUrl(_))));
    }
}
