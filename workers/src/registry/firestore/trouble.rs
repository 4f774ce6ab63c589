//! What Firestore's errors mean, and what to do about them.

use std::time::Duration;

use firestore::errors::FirestoreError;

use super::FirestoreConfig;
use crate::registry::RegistryError;

/// Why Firestore did not do what was asked, with the setting to look at.
#[derive(Debug, thiserror::Error)]
pub enum FirestoreTrouble {
    /// Nothing listens there.
    #[error("no Firestore emulator answers at {host}: start it, or correct FIRESTORE_EMULATOR_HOST")]
    EmulatorDown {
        /// What `FIRESTORE_EMULATOR_HOST` says.
        host: String,
        /// How it failed.
        #[source]
        source: FirestoreError,
    },
    /// The service cannot be reached, or there is nothing to sign in with.
    #[error(
        "Firestore cannot be reached for the project {project}: check the network and the application default \
         credentials (GOOGLE_APPLICATION_CREDENTIALS)"
    )]
    Unreachable {
        /// What `FIRESTORE_PROJECT` says.
        project: String,
        /// How it failed.
        #[source]
        source: FirestoreError,
    },
    /// It did not answer in time.
    #[error("Firestore did not answer the project {project} within {} s", .patience.as_secs_f32())]
    Slow {
        /// What `FIRESTORE_PROJECT` says.
        project: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// It answered, and refused.
    #[error(
        "Firestore refuses the project {project}: check FIRESTORE_PROJECT, that it has a database in Native mode, and \
         that the account has the role roles/datastore.user"
    )]
    Refused {
        /// What `FIRESTORE_PROJECT` says.
        project: String,
        /// How it was refused.
        #[source]
        source: FirestoreError,
    },
}

/// gRPC codes of answers that asking again does not change.
const FINAL_CODES: [&str; 7] = [
    "PermissionDenied",
    "Unauthenticated",
    "InvalidArgument",
    "FailedPrecondition",
    "NotFound",
    "OutOfRange",
    "Unimplemented",
];

impl FirestoreTrouble {
    pub(super) fn of(config: &FirestoreConfig, source: FirestoreError) -> Self {
        let project = config.project.clone();
        if is_final(&source) {
            return Self::Refused { project, source };
        }
        match config.emulator_host.clone() {
            Some(host) => Self::EmulatorDown { host, source },
            None => Self::Unreachable { project, source },
        }
    }

    pub(super) fn slow(config: &FirestoreConfig) -> Self {
        Self::Slow {
            project: config.project.clone(),
            patience: config.patience,
        }
    }

    /// True when asking again may help.
    pub(super) fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

impl From<FirestoreTrouble> for RegistryError {
    fn from(trouble: FirestoreTrouble) -> Self {
        match trouble {
            FirestoreTrouble::Refused { .. } => Self::Refused(trouble.into()),
            _ => Self::unavailable(trouble),
        }
    }
}

fn is_final(error: &FirestoreError) -> bool {
    match error {
        FirestoreError::DatabaseError(error) => FINAL_CODES.contains(&error.public.code.as_str()),
        FirestoreError::DataNotFoundError(_)
        | FirestoreError::InvalidParametersError(_)
        | FirestoreError::SerializeError(_)
        | FirestoreError::DeserializeError(_) => true,
        _ => false,
    }
}
