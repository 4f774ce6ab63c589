//! One private PostgreSQL for all tests of a program; it goes away with the program.

use std::sync::LazyLock;

use servers::Postgres;

pub(crate) static SERVER: LazyLock<Postgres> = LazyLock::new(|| {
    // A test's own runtime must not be blocked, so the server is started beside it.
    let starting = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(Postgres::start()).expect("PostgreSQL starts")
    });
    starting.join().expect("PostgreSQL starts")
});
