//! Tells the executor how each aggregate's events are stored.

use domain::{Account, BaseModel, Catalogue, Companions, Listener, Playlist, StoredEvent};
use eventing::{Codec, EncodedEvent, Executor, SchemaVersion};

/// The stored forms of every aggregate of the domain.
#[derive(Clone, Copy, Debug, Default)]
pub struct DomainCodec;

/// Executes the domain's commands.
pub type DomainExecutor = Executor<DomainCodec>;

/// What a rated track takes in memory: its id, its description of a dozen features, artists and genres, and a node of the tree.
const BYTES_OF_A_RATING: usize = 1_024;

macro_rules! codec_for {
    ($($aggregate:ty: $bytes_held:expr),+ $(,)?) => {
        $(impl Codec<$aggregate> for DomainCodec {
            fn encode(event: &<$aggregate as cqrs_es::Aggregate>::Event) -> EncodedEvent {
                let stored = event.encode();
                EncodedEvent {
                    event_type: stored.event_type,
                    schema_version: SchemaVersion(stored.schema_version),
                    payload: stored.payload.into(),
                    personal: domain::is_personal(stored.event_type),
                }
            }

            fn decode(
                event_type: &str,
                schema_version: u16,
                payload: &[u8],
            ) -> Result<Vec<<$aggregate as cqrs_es::Aggregate>::Event>, String> {
                StoredEvent::decode(event_type, schema_version, payload).map_err(|error| error.to_string())
            }

            fn bytes_held(aggregate: &$aggregate) -> Option<usize> {
                let bytes_held: fn(&$aggregate) -> Option<usize> = $bytes_held;
                bytes_held(aggregate)
            }
        })+
    };
}

codec_for!(
    Account: |_| None,
    BaseModel: |_| None,
    Catalogue: |_| None,
    Companions: |_| None,
    // Who changes their mind often, or plays much, has a long stream that leaves little.
    Listener: |listener| Some(listener.rated() * BYTES_OF_A_RATING),
    Playlist: |_| None,
);
