//! A deployment in a folder, with one listener who does always the same.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use classifier::{BaseModel, Catalogue};
use domain::listener::NewRating;
use domain::*;
use eventing::bus::Bus;
use eventing::relay::{Relay, RelayStart};
use eventing::testing::TempDir;
use eventing::{
    EventLog, Keys, LogConfig, MasterKey, Metadata, Order as Wish, Payload, StreamId, SubjectId, Version,
};
use projectors::{Catalogues, DomainExecutor, ProjectionKind, Until, ViewStore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workers::{
    ClassifierWorker, GeneratorSettings, Library, Parts, Registry, UsermanagementWorker, topology,
};

/// Longer than anything that is bound to happen takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) parts: Parts,
    pub(crate) registry: Registry,
    pub(crate) catalogue: Catalogue,
    relay: JoinHandle<()>,
    relay_shutdown: CancellationToken,
    _dir: Option<TempDir>,
}

/// A worker that runs until it is stopped.
pub(crate) struct Running {
    shutdown: CancellationToken,
    worker: JoinHandle<Result<(), workers::WorkerError>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.worker)
            .await
            .expect("the worker stops")
            .expect("no panic")
            .expect("no error");
    }
}

pub(crate) fn owner() -> AccountId {
    AccountId::new(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0007))
}

pub(crate) fn subject() -> SubjectId {
    owner().uuid().into()
}

pub(crate) fn at(second: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub(crate) fn playlist(number: u128) -> PlaylistId {
    PlaylistId::new(Uuid::from_u128(
        0x0198_0000_0000_7000_9000_0000_0000_0000 + number,
    ))
}

pub(crate) fn request(seed: u64) -> PlaylistRequest {
    PlaylistRequest {
        limit: 20,
        exploration: 0.3,
        random_seed: seed,
        ..PlaylistRequest::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = TempDir::new();
        let world = Self::open(dir.path()).await;
        Self {
            _dir: Some(dir),
            ..world
        }
    }

    pub(crate) async fn open(dir: &Path) -> Self {
        let log = EventLog::open(LogConfig::new(dir)).await.unwrap();
        let keys = Keys::open(dir, MasterKey::load_or_create(dir).unwrap())
            .await
            .unwrap();
        let bus = Bus::in_process();
        bus.declare(&topology()).await.unwrap();
        let executor = DomainExecutor::new(log.clone(), keys.clone());
        let views = ViewStore::open(dir.join("views")).unwrap();
        let relay_shutdown = CancellationToken::new();
        let running = Relay::new(log.clone(), bus.clone(), RelayStart::Head).run(relay_shutdown.clone());
        Self {
            parts: Parts {
                log,
                keys,
                executor,
                views,
                bus,
            },
            registry: Registry::files(dir.join("models")),
            catalogue: classifier::generator::catalogue(2_000, 7),
            relay: tokio::spawn(async { running.await.unwrap() }),
            relay_shutdown,
            _dir: None,
        }
    }

    pub(crate) async fn close(self) {
        self.relay_shutdown.cancel();
        self.relay.await.unwrap();
    }

    pub(crate) fn library(&self) -> Library {
        Library::new(
            self.parts.log.clone(),
            self.registry.clone(),
            Catalogues::new(self.parts.log.clone()),
        )
    }

    /// Starts a classifier worker with so many slots.
    pub(crate) fn classifier(&self, slots: usize) -> Running {
        let sweep_every = Duration::from_millis(200);
        let settings = GeneratorSettings {
            slots,
            sweep_every,
            ..GeneratorSettings::default()
        };
        let worker = ClassifierWorker::new(&self.parts, self.library(), settings).unwrap();
        run(|shutdown| worker.run(shutdown))
    }

    pub(crate) fn usermanagement(&self) -> Running {
        let worker = UsermanagementWorker::new(&self.parts).unwrap();
        run(|shutdown| worker.run(shutdown))
    }

    pub(crate) async fn execute<A>(&self, stream: String, command: A::Command)
    where
        A: cqrs_es::Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        projectors::DomainCodec: eventing::Codec<A>,
    {
        let is_about = !["catalogue-", "model-"]
            .iter()
            .any(|category| stream.starts_with(category));
        self.execute_about::<A>(is_about.then(subject), stream, command)
            .await;
    }

    pub(crate) async fn execute_about<A>(
        &self,
        subject: Option<SubjectId>,
        stream: String,
        command: A::Command,
    ) where
        A: cqrs_es::Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        projectors::DomainCodec: eventing::Codec<A>,
    {
        let stream = StreamId::parse(&stream).unwrap();
        let mut wish = Wish::<A>::new(stream, command, Metadata::new());
        wish.subject = subject;
        wish.creates_subject = subject.is_some();
        self.parts.executor.execute(wish).await.unwrap();
    }

    pub(crate) async fn import(&self) {
        let content = self.catalogue.to_bytes();
        let blob = Digest::from_bytes(self.parts.log.put_blob(content).await.unwrap());
        let command = CatalogueCommand::Import {
            version: self.catalogue.version(),
            tracks: self.catalogue.len() as u64,
            schema: self.catalogue.schema().clone(),
            blob,
            source: None,
            at: at(1),
        };
        self.execute::<domain::Catalogue>(CatalogueId::MAIN.stream_name(), command)
            .await;
    }

    /// Publishes `model`, in the log and, when `registered`, in the registry.
    pub(crate) async fn publish(&self, model: &BaseModel, registered: bool) {
        let bytes = model.to_bytes();
        if registered {
            self.registry.put(bytes.clone()).await.unwrap();
        }
        let blob = Digest::from_bytes(self.parts.log.put_blob(bytes).await.unwrap());
        let command = BaseModelCommand::Publish {
            model: model.fingerprint(),
            schema: model.schema,
            kind: model.kind.clone(),
            trained_on: "a test".into(),
            blob,
            at: at(2),
        };
        self.execute::<domain::BaseModel>(BaseModelId::MAIN.stream_name(), command)
            .await;
    }

    pub(crate) async fn rate(&self, index: u32, rating: Rating) {
        let ratings = vec![NewRating {
            track: self.catalogue.id(index),
            rating,
            described: self.catalogue.describe(index),
        }];
        let command = ListenerCommand::Rate {
            ratings,
            at: at(10 + i64::from(index)),
        };
        self.execute::<Listener>(owner().listener_stream_name(), command)
            .await;
    }

    pub(crate) async fn play(&self, index: u32) {
        let track = self.catalogue.id(index);
        let command = ListenerCommand::Play {
            track,
            at: at(10),
            duration_played_ms: 1_000,
        };
        self.execute::<Listener>(owner().listener_stream_name(), command)
            .await;
    }

    pub(crate) async fn ask(&self, playlist: PlaylistId, request: PlaylistRequest) {
        let (owner, request) = (owner(), Box::new(request));
        let command = PlaylistCommand::Request {
            playlist,
            owner,
            name: None,
            request,
            at: at(1_000),
        };
        self.execute::<Playlist>(playlist.stream_name(), command).await;
    }

    /// The listener's usual history: ten ratings and a play.
    pub(crate) async fn live(&self) {
        for index in 0..10 {
            let rating = if index % 3 == 0 {
                Rating::Dislike
            } else {
                Rating::Like
            };
            self.rate(index * 17, rating).await;
        }
        self.play(500).await;
    }

    /// The answer's type and payload, once it is there.
    pub(crate) async fn answer(&self, playlist: PlaylistId) -> (String, Bytes) {
        let stream = StreamId::parse(&playlist.stream_name()).unwrap();
        let answered = until(async || {
            self.parts
                .log
                .read_stream(&stream, Version(1), 2)
                .await
                .unwrap()
                .into_iter()
                .next()
        });
        let event = answered.await;
        let Payload::Open(payload) = self.parts.keys.open_event(&event).await.unwrap() else {
            panic!("erased")
        };
        (event.event_type, payload)
    }

    pub(crate) async fn generated(&self, playlist: PlaylistId) -> Generated {
        let (event_type, payload) = self.answer(playlist).await;
        assert_eq!(
            event_type,
            "playlist.generated",
            "{}",
            String::from_utf8_lossy(&payload)
        );
        serde_json::from_slice(&payload).unwrap()
    }

    pub(crate) async fn failure(&self, playlist: PlaylistId) -> FailureReason {
        let (event_type, payload) = self.answer(playlist).await;
        assert_eq!(
            event_type,
            "playlist.failed",
            "{}",
            String::from_utf8_lossy(&payload)
        );
        serde_json::from_slice::<domain::playlist::Failed>(&payload)
            .unwrap()
            .reason
    }

    /// Waits until the view of a stream has got to the log's head.
    pub(crate) async fn viewed(&self, kind: ProjectionKind, stream: &str) {
        let stream = StreamId::parse(stream).unwrap();
        let head = self.parts.log.stream_head(&stream).await.unwrap().unwrap();
        until(async || match self.parts.views.reader().checkpoint(kind).await {
            Err(projectors::ViewError::NotBuilt(_)) => None,
            _ => Some(()),
        })
        .await;
        let deadline = Instant::now() + PATIENCE;
        self.parts
            .views
            .reader()
            .wait_for(kind, &stream, Until::Version(head.version), deadline)
            .await
            .unwrap();
    }
}

fn run<F>(start: impl FnOnce(CancellationToken) -> F) -> Running
where
    F: Future<Output = Result<(), workers::WorkerError>> + Send + 'static,
{
    let shutdown = CancellationToken::new();
    Running {
        worker: tokio::spawn(start(shutdown.clone())),
        shutdown,
    }
}

/// Looks until there is something to see.
pub(crate) async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, looking).await.expect("it happens in time")
}
