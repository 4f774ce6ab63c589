//! A whole service in a temporary folder: a real log, real keys, real views and the real consumers, under the router.

mod call;
pub mod catalogue;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
pub use call::{Call, Reply};
use chrono::{DateTime, Utc};
use command_api::{ApiConfig, ApiParts, ApiState, CatalogueHandle, PasswordPolicy, ThrottleConfig, router};
use domain::{
    Account, AccountCommand, AccountId, Arrangement, Generated, GeneratedTrack, LearnedFrom, Playlist,
    PlaylistCommand, PlaylistId, Pool, Role, TrackId,
};
use eventing::{
    EventLog, Keys, LogConfig, MasterKey, Metadata, Order, Position, StreamId, SubjectId,
    bus::{Bus, Topology},
    consumer::{Consumer, ConsumerSettings},
    notes::SigningKey,
    relay::{Relay, RelayStart},
    sealer::{Sealer, SealerSettings},
};
use projectors::{Catalogues, DomainExecutor, ProjectionHandler, ProjectionKind, ViewReader, ViewStore};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Long, and in no list of passwords.
pub const PASSWORD: &str = "violet harbour tuning fork";
const TAGS: [&str; 2] = ["usermanagement", "classification"];
/// Nothing here takes long; a test that waits longer has found a fault.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct App {
    pub router: Router,
    pub api: ApiState,
    pub log: EventLog,
    pub keys: Keys,
    pub executor: DomainExecutor,
    pub views: ViewReader,
    store: ViewStore,
    projecting: parking_lot::Mutex<Option<DropGuard>>,
    pub dir: Arc<TempDir>,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Listener {
    pub id: AccountId,
    pub token: String,
}

impl App {
    pub async fn new() -> Self {
        Self::with_config(config()).await
    }

    pub async fn with_config(config: ApiConfig) -> Self {
        Self::in_dir(Arc::new(tempfile::tempdir().unwrap()), config, true).await
    }

    /// Opens what lies in `dir`, as a restart does. The views go on being folded only if `projecting`.
    pub async fn in_dir(dir: Arc<TempDir>, config: ApiConfig, projecting: bool) -> Self {
        let store = ViewStore::open(dir.path().join("views")).unwrap();
        Self::with_views(store, dir, config, projecting).await
    }

    /// As [`in_dir`](Self::in_dir), with views that lie elsewhere.
    pub async fn with_views(
        store: ViewStore,
        dir: Arc<TempDir>,
        config: ApiConfig,
        projecting: bool,
    ) -> Self {
        let log = LogConfig::new(dir.path());
        Self::with_log(log, store, dir, config, projecting).await
    }

    /// As [`with_views`](Self::with_views), with a log of other bounds.
    pub async fn with_log(
        log: LogConfig,
        store: ViewStore,
        dir: Arc<TempDir>,
        config: ApiConfig,
        projecting: bool,
    ) -> Self {
        let key = SigningKey::load_or_create(dir.path()).unwrap();
        Self::put_together(log, store, dir, config, projecting, Some(key)).await
    }

    /// A service that was given no key to sign checkpoints with.
    pub async fn without_audit_key() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let store = ViewStore::open(dir.path().join("views")).unwrap();
        let log = LogConfig::new(dir.path());
        Self::put_together(log, store, dir, config(), true, None).await
    }

    async fn put_together(
        log: LogConfig,
        store: ViewStore,
        dir: Arc<TempDir>,
        config: ApiConfig,
        projecting: bool,
        key: Option<SigningKey>,
    ) -> Self {
        let log = EventLog::open(log).await.unwrap();
        let master = MasterKey::load_or_create(dir.path()).unwrap();
        let keys = Keys::open(dir.path(), master).await.unwrap();
        let executor = DomainExecutor::new(log.clone(), keys.clone());
        let views = store.reader();
        let catalogue = CatalogueHandle::new(log.clone(), views.clone(), Catalogues::new(log.clone()));
        let settings = SealerSettings {
            key,
            checkpoint_interval: None,
        };
        let sealer = Sealer::new(log.clone(), keys.clone(), settings);
        let parts = ApiParts {
            log: log.clone(),
            keys: keys.clone(),
            executor: executor.clone(),
            views: views.clone(),
            catalogue,
            sealer: sealer.clone(),
            probes: Vec::new(),
            instruments: Arc::default(),
        };
        let api = ApiState::start(parts, config).await.unwrap();
        let router = router(api.clone());
        let app = Self {
            router,
            api,
            log,
            keys,
            executor,
            views,
            store,
            projecting: parking_lot::Mutex::default(),
            dir,
        };
        if projecting {
            app.project().await;
        }
        app
    }

    /// Starts the relay and the consumers.
    pub async fn project(&self) {
        let bus = Bus::in_process();
        bus.declare(&Topology::by_tag(tag_of, &TAGS)).await.unwrap();
        let stop = CancellationToken::new();
        let relay = Relay::new(self.log.clone(), bus.clone(), RelayStart::Head);
        tokio::spawn(relay.run(stop.clone()));
        let classification = [
            ProjectionKind::TasteModels,
            ProjectionKind::Playlists,
            ProjectionKind::Library,
        ];
        for (name, kinds) in [
            ("usermanagement", &[ProjectionKind::Accounts][..]),
            ("classification", &classification),
        ] {
            let handler = ProjectionHandler::new(self.store.clone(), self.keys.clone(), name, kinds).unwrap();
            let settings = ConsumerSettings {
                heal_every: Duration::from_millis(200),
                ..ConsumerSettings::default()
            };
            let consumer =
                Consumer::with_settings(Arc::new(handler), self.log.clone(), bus.clone(), name, settings);
            tokio::spawn(consumer.run(stop.clone()));
        }
        *self.projecting.lock() = Some(stop.drop_guard());
    }

    /// Stops the consumers: from here on views stay as they are.
    pub async fn stop_projecting(&self) {
        self.settle().await;
        drop(self.projecting.lock().take());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    /// Waits until every view reflects the whole log.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let head = self.log.head().await.unwrap();
            let deadline = tokio::time::Instant::now() + PATIENCE;
            for kind in ProjectionKind::ALL {
                let reached = self.views.wait_for_checkpoint(kind, head, deadline).await;
                assert!(
                    reached.is_ok(),
                    "{kind:?} did not reach {head}: {reached:?}; called at {place}"
                );
            }
            self.api.catalogue().refresh().await.unwrap();
        }
    }

    /// Begins a request: `"PUT /v1/me/ratings/{track}"`.
    pub fn call(&self, route: &'static str) -> Call<'_> {
        Call::new(self, route)
    }

    pub async fn register(&self, username: &str) -> AccountId {
        let body = json!({"username": username, "password": PASSWORD});
        let reply = self.call("POST /v1/accounts").json(body).send().await.expect(201);
        reply.json()["id"].as_str().unwrap().parse().unwrap()
    }

    pub async fn sign_in(&self, username: &str) -> String {
        let body = json!({"username": username, "password": PASSWORD});
        let reply = self.call("POST /v1/sessions").json(body).send().await.expect(201);
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    pub async fn listener(&self, username: &str) -> Listener {
        let id = self.register(username).await;
        let token = self.sign_in(username).await;
        Listener { id, token }
    }

    pub async fn auditor(&self) -> Listener {
        self.auditor_named("the-auditor").await
    }

    pub async fn auditor_named(&self, username: &str) -> Listener {
        let auditor = self.listener(username).await;
        let command = AccountCommand::GrantRole {
            role: Role::Auditor,
            granted_by: None,
        };
        self.order_account(auditor.id, command).await;
        self.settle().await;
        auditor
    }

    /// Does to an account what another process would do.
    pub async fn order_account(&self, account: AccountId, command: AccountCommand) {
        let stream = StreamId::new(AccountId::CATEGORY, account.uuid());
        let order = Order::<Account>::new(stream, command, Metadata::new()).about(SubjectId(account.uuid()));
        self.executor.execute(order).await.unwrap();
    }

    /// Answers a request for a playlist, as the generator would, with `tracks`.
    pub async fn generate(&self, playlist: PlaylistId, tracks: &[&str]) -> Position {
        self.settle().await;
        let view = self.views.playlist(playlist).await.unwrap().unwrap().view;
        let catalogue = self.api.catalogue().current().unwrap();
        let track = |(at, id): (usize, &&str)| GeneratedTrack {
            track: TrackId::parse(*id).unwrap(),
            score: 0.75,
            contributions: vec![0.5, 0.25],
            rank: Some(at as u32 + 1),
            propensity: Some(0.5),
        };
        let generated = Generated {
            generator: 1,
            model: domain::Digest::of("model"),
            schema: catalogue.content.schema().digest(),
            listener_version: 0,
            catalogue: catalogue.digest,
            companions: None,
            random_seed: view.request.random_seed,
            requested: view.request.limit,
            returned: tracks.len() as u32,
            pool: Pool {
                initial: 5,
                after_filtering: 4,
                after_caps: 3,
            },
            notes: vec!["fewer tracks than asked for".to_owned()],
            features: vec!["energy".to_owned(), "valence".to_owned()],
            learned_from: Some(LearnedFrom {
                liked: 2,
                disliked: 1,
            }),
            arrangement: Some(Arrangement {
                objective: 3.5,
                greedy: 5.25,
            }),
            tracks: tracks.iter().enumerate().map(track).collect(),
        };
        let command = PlaylistCommand::RecordGeneration(Box::new(generated));
        let stream = StreamId::new(PlaylistId::CATEGORY, playlist.uuid());
        let order =
            Order::<Playlist>::new(stream, command, Metadata::new()).about(SubjectId(view.owner.uuid()));
        self.executor.execute(order).await.unwrap().position
    }
}

/// The settings of tests: cheap hashing, and a throttle that no test meets by accident.
pub fn config() -> ApiConfig {
    ApiConfig {
        passwords: PasswordPolicy::cheap(),
        throttle: Some(ThrottleConfig {
            account_free: 1_000,
            address_free: 10_000,
            ..ThrottleConfig::default()
        }),
        session_wait: Duration::from_secs(10),
        ..ApiConfig::default()
    }
}

pub fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

pub fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 40_000))
}

fn tag_of(stream: &StreamId) -> Option<&'static str> {
    match stream.category() {
        AccountId::CATEGORY => Some(TAGS[0]),
        domain::AccessId::CATEGORY => None,
        _ => Some(TAGS[1]),
    }
}
