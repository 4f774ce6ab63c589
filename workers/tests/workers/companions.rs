//! What listeners like together, from their likes to a publication.

use std::time::Duration;

use classifier::Companions;
use domain::companions::Published;
use domain::listener::NewRating;
use domain::*;
use eventing::{Payload, StreamId, SubjectId, Version};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workers::inputs::{Asked, Inputs};
use workers::{
    CompanionsSettings, CompanionsStatus, CompanionsTask, Generator, Outcome, Parts, Recomputed, Recomputer,
};

use crate::world::*;

/// Everything at once: what is waited for is a state, never a time.
fn at_once() -> CompanionsSettings {
    CompanionsSettings {
        growth_every: Duration::ZERO,
        quiet_for: Duration::ZERO,
        erasure_every: Duration::ZERO,
        poll_every: Duration::from_millis(5),
        lock_every: Duration::from_millis(5),
        ..CompanionsSettings::default()
    }
}

/// A task that runs until it is stopped.
struct Counting {
    status: tokio::sync::watch::Receiver<CompanionsStatus>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Counting {
    fn start(world: &World, settings: CompanionsSettings) -> Self {
        let task = CompanionsTask::new(&world.parts, settings);
        let shutdown = CancellationToken::new();
        Self {
            status: task.status(),
            task: tokio::spawn(task.run(shutdown.clone())),
            shutdown,
        }
    }

    fn leads(&self) -> bool {
        self.status.borrow().leads
    }

    /// Waits until it has folded all that is in the log.
    async fn caught_up(&self, world: &World) {
        let head = world.parts.log.head().await.unwrap();
        until(async || (self.status.borrow().folded >= head).then_some(())).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

fn listener(number: u128) -> AccountId {
    AccountId::new(Uuid::from_u128(
        0x0198_0000_0000_7000_a000_0000_0000_0000 + number,
    ))
}

impl World {
    async fn rate_as(&self, listener: AccountId, indices: std::ops::Range<u32>, rating: Rating) {
        let rated = |index| NewRating {
            track: self.catalogue.id(index),
            rating,
            described: self.catalogue.describe(index),
        };
        let command = ListenerCommand::Rate {
            ratings: indices.map(rated).collect(),
            at: at(10),
        };
        let stream = listener.listener_stream_name();
        self.execute_about::<Listener>(Some(listener.uuid().into()), stream, command)
            .await;
    }

    /// So many listeners like the same five tracks.
    async fn alike(&self, listeners: std::ops::Range<u128>) {
        for number in listeners {
            self.rate_as(listener(number), 0..5, Rating::Like).await;
        }
    }

    /// As the REST interface does it.
    async fn erase(&self, account: AccountId) {
        let subject: SubjectId = account.uuid().into();
        let stream = account.stream_name();
        let register = AccountCommand::Register {
            account,
            username: Username::parse(&format!("name-{}", account.uuid().simple())).unwrap(),
            password_hash: "$argon2id$".into(),
            at: at(20),
        };
        self.execute_about::<Account>(Some(subject), stream.clone(), register)
            .await;
        let erase = AccountCommand::Erase { at: at(21) };
        self.execute_about::<Account>(Some(subject), stream, erase).await;
        self.parts.keys.destroy(subject).await.unwrap();
    }

    async fn publications(&self) -> Vec<Published> {
        let stream = StreamId::parse(&CompanionsId::MAIN.stream_name()).unwrap();
        let events = self
            .parts
            .log
            .read_stream(&stream, Version::NONE, 100)
            .await
            .unwrap();
        let mut publications = Vec::new();
        for event in events {
            assert_eq!(event.subject, None, "it is about nobody");
            let Payload::Open(payload) = self.parts.keys.open_event(&event).await.unwrap() else {
                panic!("erased")
            };
            publications.push(serde_json::from_slice(&payload).unwrap());
        }
        publications
    }

    /// Waits for a publication that counts so many listeners, and reads its content.
    async fn published_for(&self, listeners: u64) -> (Published, Companions) {
        let published = until(async || {
            let last = self.publications().await.pop()?;
            (last.listeners == listeners).then_some(last)
        });
        let published = published.await;
        let blob = self
            .parts
            .log
            .blob(published.blob.as_bytes())
            .await
            .unwrap()
            .unwrap();
        (published, Companions::from_bytes(&blob).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions_are_published_when_there_are_enough_listeners_and_not_before() {
    let world = World::new().await;
    let counting = Counting::start(&world, at_once());
    world.alike(0..19).await;
    world.rate_as(listener(19), 0..4, Rating::Like).await;
    counting.caught_up(&world).await;
    assert_eq!(world.publications().await, []);

    world.rate_as(listener(19), 4..5, Rating::Like).await;
    let (published, companions) = world.published_for(20).await;
    assert_eq!(published.digest, companions.digest());
    assert_eq!((published.likes, companions.likes()), (100, 100));
    let tracks = companions.tracks();
    let first = tracks.index_of(world.catalogue.id(0).as_str()).unwrap();
    assert_eq!((tracks.len(), tracks.liked_by(first)), (5, 20));
    assert!(
        tracks
            .companions(first)
            .iter()
            .all(|companion| companion.both == 20)
    );
    counting.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_published_and_what_changes_nothing_is_not() {
    let world = World::new().await;
    world.alike(0..21).await;
    let counting = Counting::start(&world, at_once());
    world.published_for(21).await;
    world.rate_as(listener(0), 700..710, Rating::Dislike).await;
    counting.caught_up(&world).await;
    assert_eq!(world.publications().await.len(), 1);

    world.rate_as(listener(0), 0..1, Rating::Dislike).await;
    let changed = async || world.publications().await.get(1).cloned();
    assert_eq!(until(changed).await.likes, 104);
    counting.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_is_erased_leaves_the_companions() {
    let world = World::new().await;
    world.alike(0..21).await;
    // Neither growth nor quiet: only the erasure calls for another publication.
    let patient = || CompanionsSettings {
        growth_min: 1_000,
        quiet_for: PATIENCE * 10,
        ..at_once()
    };
    let counting = Counting::start(&world, patient());
    world.published_for(21).await;
    world.erase(listener(0)).await;
    let (_, companions) = world.published_for(20).await;
    let tracks = companions.tracks();
    assert_eq!(tracks.liked_by(0), 20);

    // The task does not run while the next one is erased: the fold that begins again finds what it cannot open.
    counting.stop().await;
    world.erase(listener(1)).await;
    let counting = Counting::start(&world, patient());
    let (published, companions) = world.published_for(0).await;
    assert_eq!(companions, Companions::none(), "19 listeners are too few");
    counting.caught_up(&world).await;
    assert_eq!(world.publications().await.last(), Some(&published));
    counting.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_tasks_one_publishes_and_the_other_takes_over() {
    let world = World::new().await;
    world.alike(0..20).await;
    let (first, second) = (
        Counting::start(&world, at_once()),
        Counting::start(&world, at_once()),
    );
    world.published_for(20).await;
    let leader = until(async || (first.leads() || second.leads()).then_some(first.leads())).await;
    let (leading, standing_by) = if leader { (first, second) } else { (second, first) };
    leading.caught_up(&world).await;
    assert_eq!(world.publications().await.len(), 1);
    assert!(!standing_by.leads());

    leading.stop().await;
    standing_by.caught_up(&world).await;
    assert_eq!(
        world.publications().await.len(),
        1,
        "what is published is not published again"
    );
    world.alike(20..21).await;
    world.published_for(21).await;
    assert_eq!(world.publications().await.len(), 2);
    standing_by.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playlist_keeps_its_companions_when_people_are_erased_later() {
    let world = World::new().await;
    world.import().await;
    world.live().await;
    world.ask(playlist(1), request(1)).await;
    world.alike(0..21).await;
    let counting = Counting::start(&world, at_once());
    // The owner counts too.
    let (earlier, content) = world.published_for(22).await;
    world.ask(playlist(2), request(2)).await;
    let generator = Generator::new(world.parts.clone(), world.library());
    for number in [1, 2] {
        assert_eq!(generator.make(playlist(number)).await.unwrap(), Outcome::Answered);
    }
    world.erase(listener(0)).await;
    world.published_for(21).await;
    counting.stop().await;

    assert_eq!(
        inputs(&world, playlist(1)).await.companions,
        None,
        "none were published then"
    );
    assert_eq!(
        inputs(&world, playlist(2)).await.companions,
        Some(earlier.clone())
    );
    let again = world
        .library()
        .companions(earlier.digest, earlier.blob)
        .await
        .unwrap();
    assert_eq!(*again, content);
    let Parts { log, keys, .. } = &world.parts;
    let recomputer = Recomputer::new(log.clone(), keys.clone(), world.registry.clone());
    for number in [1, 2] {
        let checked = recomputer.check(playlist(number)).await.unwrap();
        assert!(matches!(checked, Recomputed::Same { .. }), "{checked:?}");
    }
    world.close().await;
}

async fn inputs(world: &World, playlist: PlaylistId) -> Inputs {
    let Parts { log, keys, .. } = &world.parts;
    let Asked::Answered(request, _) = Asked::read(log, keys, playlist).await.unwrap() else {
        panic!("it is answered")
    };
    Inputs::before(&request, log, keys, None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions_come_from_the_log_as_their_digest_says_or_not_at_all() {
    let world = World::new().await;
    let (log, library) = (&world.parts.log, world.library());
    let bytes = Companions::none().to_bytes();
    let digest = Digest::of(&bytes);
    let missing = library.companions(digest, digest).await.unwrap_err();
    assert!(!missing.is_transient(), "{missing}");

    let blob = Digest::from_bytes(log.put_blob(bytes).await.unwrap());
    assert_eq!(
        *library.companions(digest, blob).await.unwrap(),
        Companions::none()
    );
    let other = Digest::from_bytes(log.put_blob(&b"SEGUECMP\x01nonsense"[..]).await.unwrap());
    for (wrong, blob) in [(other, other), (Digest::of("another"), blob)] {
        let refused = library.companions(wrong, blob).await.unwrap_err();
        assert!(!refused.is_transient(), "{refused}");
    }
    world.close().await;
}
