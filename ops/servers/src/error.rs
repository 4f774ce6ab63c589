//! What can go wrong with a private server.

use std::{io, path::PathBuf};

/// A server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its program is not on this machine.
    #[error("{program} is not installed: run `ops/test`, or `apt-get install {package}`")]
    NotInstalled {
        /// What was looked for.
        program: String,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// The operating system refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// It ended, or did not answer in time.
    #[error("{server} did not get ready; its last lines in {}:\n{tail}", log.display())]
    NotReady {
        /// Which server.
        server: &'static str,
        /// Where it writes what it has to say.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
}

impl ServerError {
    /// An operating system's refusal of `what`.
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            what: what.into(),
            source,
        }
    }
}
