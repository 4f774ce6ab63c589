//! The names of everything that is read at `/metrics`: the one place that knows them.
//!
//! A figure may have several names, since processes of two versions run side by side during an upgrade: the first one that a
//! process tells counts. What no process tells is shown as a dash.

/// The names of one figure; the present one first.
pub(crate) type Names = &'static [&'static str];

/// The label that says which part of a process a series is about.
pub(crate) const PART: &str = "part";
/// The label of [`HTTP_REQUESTS`] that holds the status code.
pub(crate) const STATUS: &str = "status";
/// The label of [`PLAYLISTS`] that says what became of a request.
pub(crate) const OUTCOME: &str = "outcome";
/// The outcome of a request that was answered with a playlist.
pub(crate) const GENERATED: &str = "generated";
/// The label of [`MODEL`] that holds the fingerprint.
pub(crate) const FINGERPRINT: &str = "model";

/// 1 where a part of a process can do its work.
pub(crate) const READY: Names = &["segue_ready"];

/// Time that a process spent computing, in seconds.
pub(crate) const CPU_S: Names = &["process_cpu_seconds_total"];
/// Memory that a process uses.
pub(crate) const MEMORY: Names = &["process_resident_memory_bytes"];

/// Answered requests.
pub(crate) const HTTP_REQUESTS: Names = &["segue_http_requests_total"];
/// How long requests took, a histogram.
pub(crate) const HTTP_DURATION: Names = &["segue_http_request_duration_seconds"];
/// Sign-ins and registrations whose password waits to be hashed.
pub(crate) const PASSWORDS_WAITING: Names = &["segue_password_evaluations_waiting"];

/// Position of the last record.
pub(crate) const LOG_HEAD: Names = &["segue_log_head_position"];
/// How many appends shared one transaction, a histogram: its sum is their number.
pub(crate) const APPEND_BATCH: Names = &["segue_append_batch_size"];
/// How long transactions of the log took, a histogram.
pub(crate) const APPEND_DURATION: Names = &["segue_append_duration_seconds"];
/// Transactions that failed.
pub(crate) const APPEND_FAILURES: Names = &["segue_append_failures_total"];

/// What became of requests for playlists.
pub(crate) const PLAYLISTS: Names = &["segue_playlists_total"];
/// From a request for a playlist to its answer, a histogram.
pub(crate) const PLAYLIST_DURATION: Names = &["segue_playlist_duration_seconds"];

/// What a projection's views reflect.
pub(crate) const PROJECTION_APPLIED: Names = &["segue_projection_applied_position"];
/// How many positions a projection is behind.
pub(crate) const PROJECTION_LAG: Names = &["segue_projection_lag_events"];
/// How old the oldest record is that a projection lacks.
pub(crate) const PROJECTION_LAG_S: Names = &["segue_projection_lag_seconds"];
/// How many positions a consumer is behind.
pub(crate) const CONSUMER_LAG: Names = &["segue_consumer_lag_events"];
/// Streams that a consumer tries again.
pub(crate) const CONSUMER_RETRYING: Names = &["segue_consumer_retrying_streams"];
/// Streams that a consumer set aside.
pub(crate) const DEAD_LETTERS: Names = &["segue_dead_letters"];
/// What the broker has confirmed.
pub(crate) const RELAY_PUBLISHED: Names = &["segue_relay_published_position"];
/// How many positions the relay is behind.
pub(crate) const RELAY_LAG: Names = &["segue_relay_lag_events"];
/// 1 where the broker can be reached.
pub(crate) const BUS_CONNECTED: Names = &["segue_bus_connected"];
/// What the companions reflect.
pub(crate) const COMPANIONS_FOLDED: Names = &["segue_companions_folded_position"];
/// How many positions the companions are behind.
pub(crate) const COMPANIONS_LAG: Names = &["segue_companions_lag_events"];

/// Records in the log's Merkle tree.
pub(crate) const TREE_SIZE: Names = &["segue_audit_tree_size"];
/// Records that the last signed checkpoint covers.
pub(crate) const CHECKPOINT_SIZE: Names = &["segue_audit_checkpoint_size"];
/// When the last checkpoint was signed, in seconds since 1970; 0 when there is none.
pub(crate) const CHECKPOINT_AT: Names = &[
    "segue_audit_checkpoint_timestamp_seconds",
    "segue_audit_checkpoint_signed_at_s",
];
/// 1 where the last attempt to seal the log failed.
pub(crate) const SEAL_FAILED: Names = &["segue_audit_seal_failed"];

/// The base model that is used.
pub(crate) const MODEL: Names = &["segue_model_info"];
/// 1 where the registry of base models does what is asked of it.
pub(crate) const REGISTRY_WELL: Names = &["segue_model_registry_well"];
/// Tracks of the current catalogue.
pub(crate) const CATALOGUE_TRACKS: Names = &["segue_catalogue_tracks"];
