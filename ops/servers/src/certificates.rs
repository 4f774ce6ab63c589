//! Certificates for private servers, made with openssl.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::ServerError;

/// Where PostgreSQL looks for its certificate and its key, in its folder.
const CERTIFICATE: &str = "server.crt";
pub(crate) const KEY: &str = "server.key";

/// Makes an authority in `folder`, and a certificate for 127.0.0.1 that it signed in `data`. Hands back the authority's file.
pub(crate) fn make(folder: &Path, data: &Path) -> Result<PathBuf, ServerError> {
    let (authority, authority_key) = (folder.join("authority.pem"), folder.join("authority.key"));
    let (authority_text, authority_key_text) = (text(&authority), text(&authority_key));
    let (certificate, key) = (text(&data.join(CERTIFICATE)), text(&data.join(KEY)));
    let new = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ];
    let signs = [
        "-subj",
        "/CN=a private authority",
        "-keyout",
        &authority_key_text,
        "-out",
        &authority_text,
    ];
    openssl(&[&new[..], &signs].concat())?;
    let signed = [
        "-CA",
        &authority_text,
        "-CAkey",
        &authority_key_text,
        "-subj",
        "/CN=127.0.0.1",
    ];
    let is = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ];
    openssl(&[&new[..], &signed, &is].concat())?;
    Ok(authority)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn openssl(arguments: &[&str]) -> Result<(), ServerError> {
    let output = Command::new("openssl")
        .args(arguments)
        .output()
        .map_err(|error| ServerError::io("cannot run openssl", error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(ServerError::io("openssl refused", std::io::Error::other(said)))
}
