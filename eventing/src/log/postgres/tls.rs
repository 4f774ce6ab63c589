//! Encrypted connections to the database.
//!
//! A URL asks for one with `sslmode=require` or `sslmode=verify-full`, which are the same here: whoever answers must prove to be the
//! host that the URL names. `sslrootcert` names the file of those who may vouch for it; without one they are those whom
//! Mozilla trusts. Without `sslmode` nothing is encrypted.

use std::path::Path;

#[cfg(not(feature = "production"))]
pub(super) use tokio_postgres::NoTls as Connector;
#[cfg(feature = "production")]
pub(super) use tokio_postgres_rustls::MakeRustlsConnect as Connector;

/// Takes what a URL says of encryption out of it: what is left, and what makes encrypted connections when they are wanted.
pub(super) fn split(url: &str) -> Result<(String, Option<Connector>), String> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut rest, mut mode, mut roots) = (Vec::new(), None, None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => roots = Some(Path::new(value)),
            _ => rest.push(parameter),
        }
    }
    let connector = match mode {
        None | Some("disable") if roots.is_none() => None,
        Some("require" | "verify-full") => Some(connector(roots)?),
        Some("disable") | None => {
            return Err("names an sslrootcert and does not say sslmode=verify-full".to_owned());
        }
        Some(_) => return Err("has an sslmode that is none of disable, require and verify-full".to_owned()),
    };
    let url = match rest.is_empty() {
        true => address.to_owned(),
        false => format!("{address}?{}", rest.join("&")),
    };
    Ok((url, connector))
}

#[cfg(not(feature = "production"))]
fn connector(_: Option<&Path>) -> Result<Connector, String> {
    Err(
        "asks for encryption, and this program was built without it: build it with `--features production`"
            .to_owned(),
    )
}

#[cfg(feature = "production")]
fn connector(roots: Option<&Path>) -> Result<Connector, String> {
    use rustls::crypto::aws_lc_rs::default_provider;

    let trusted = match roots {
        Some(file) => trusted(file)?,
        None => rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    let config = rustls::ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot be reached with encryption: {error}"))?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(Connector::new(config))
}

/// The certificates of a file.
#[cfg(feature = "production")]
fn trusted(file: &Path) -> Result<rustls::RootCertStore, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let fault = |error: &dyn std::fmt::Display| {
        format!(
            "names the sslrootcert {}, which cannot be used: {error}",
            file.display()
        )
    };
    let mut trusted = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| fault(&error))? {
        let certificate = certificate.map_err(|error| fault(&error))?;
        trusted.add(certificate).map_err(|error| fault(&error))?;
    }
    match trusted.is_empty() {
        true => Err(fault(&"it holds no certificate")),
        false => Ok(trusted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_sslmode_is_left_as_it_is_and_encrypts_nothing() {
        for url in [
            "postgres://u:p@h/d",
            "postgres://u:p@h/d?keepalives=0&application_name=x",
        ] {
            let (left, connector) = split(url).expect("it is one");
            assert_eq!((left.as_str(), connector.is_none()), (url, true));
        }
        let (left, connector) = split("postgres://h/d?sslmode=disable&keepalives=0").expect("it is one");
        assert_eq!(
            (left.as_str(), connector.is_none()),
            ("postgres://h/d?keepalives=0", true)
        );
    }

    #[test]
    fn what_would_be_less_than_it_says_is_refused() {
        for query in [
            "sslmode=prefer",
            "sslmode=verify-ca",
            "sslmode=",
            "sslrootcert=/ca.pem",
        ] {
            assert!(split(&format!("postgres://h/d?{query}")).is_err(), "{query}");
        }
    }

    #[cfg(not(feature = "production"))]
    #[test]
    fn a_program_without_encryption_says_so() {
        let refused = split("postgres://h/d?sslmode=require").err();
        assert!(refused.is_some_and(|said| said.contains("--features production")));
    }

    #[cfg(feature = "production")]
    #[test]
    fn encryption_needs_somebody_who_can_vouch() {
        let (left, connector) = split("postgres://h/d?sslmode=require").expect("it is one");
        assert_eq!((left.as_str(), connector.is_some()), ("postgres://h/d", true));
        let refused = split("postgres://h/d?sslmode=require&sslrootcert=/nowhere/ca.pem").err();
        assert!(refused.is_some_and(|said| said.contains("/nowhere/ca.pem")));
    }
}
