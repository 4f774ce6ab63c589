//! One private RabbitMQ for the tests that leave it alone, and one for those that do not, which take turns.

use std::{
    sync::{LazyLock, OnceLock},
    time::Duration,
};

use eventing::bus::{Bus, RabbitMqConfig};
use servers::RabbitMq;
use tokio::sync::{Mutex, MutexGuard};

static SHARED: LazyLock<RabbitMq> = LazyLock::new(|| {
    // A test's own runtime must not be blocked, so the server is started beside it.
    let starting = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(RabbitMq::start()).expect("RabbitMQ starts")
    });
    starting.join().expect("RabbitMQ starts")
});

/// The broker that nobody harms.
pub(crate) fn shared() -> &'static RabbitMq {
    &SHARED
}

/// The broker that is killed, paused and stopped, for one test at a time. It runs when a test gets it.
pub(crate) async fn harmed() -> MutexGuard<'static, RabbitMq> {
    static HARMED: OnceLock<Mutex<RabbitMq>> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::const_new(());
    let starting = STARTING.lock().await;
    if HARMED.get().is_none() {
        let broker = RabbitMq::start().await.expect("RabbitMQ starts");
        HARMED.set(Mutex::new(broker)).expect("it is set once");
    }
    drop(starting);
    let mut broker = HARMED.get().expect("it is set").lock().await;
    if !broker.is_running() {
        // A test that failed left it down.
        broker.restart().await.expect("it starts again");
    }
    broker
}

/// How to reach a new virtual host of `broker`, with bounds for tests.
pub(crate) fn config(broker: &RabbitMq) -> RabbitMqConfig {
    let mut config = RabbitMqConfig::new(broker.host());
    config.port = broker.port();
    broker.user().clone_into(&mut config.user);
    broker.password().clone_into(&mut config.password);
    config.vhost = broker.new_vhost().expect("a virtual host");
    config.heartbeat = Duration::from_secs(1);
    config.look_every = Duration::from_millis(500);
    config
}

/// A bus of its own on the shared broker.
pub(crate) async fn fresh_bus() -> Bus {
    Bus::rabbitmq(config(shared()))
}
