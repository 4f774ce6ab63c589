//! A Redis that compares texts otherwise than by their bytes, as most locales do.

mod common;
mod server;

use std::{fmt::Write as _, path::Path, process::Command};

use common::*;
use eventing::{Position, consumer::Handler};
use projectors::{ProjectionKind, ViewStore, rebuild, testing::World};
use server::{config_of, start};
use servers::{Redis, RedisOptions};

const LOCALE: &str = "backwards";

/// Makes a locale in which every byte stands before the one it follows elsewhere. It needs none of the machine's own.
fn make_locale(dir: &Path) {
    let mut characters = "<comment_char> %\n<escape_char> /\n<code_set_name> BACKWARDS\nCHARMAP\n".to_owned();
    let mut order = "comment_char %\nescape_char /\nLC_COLLATE\norder_start forward\n".to_owned();
    for byte in 0..=255 {
        writeln!(characters, "<U{byte:04X}> /x{byte:02x}").unwrap();
    }
    for byte in (1..=255).rev() {
        writeln!(order, "<U{byte:04X}>").unwrap();
    }
    std::fs::write(dir.join("characters"), characters + "END CHARMAP\n").unwrap();
    std::fs::write(dir.join("order"), order + "order_end\nEND LC_COLLATE\n").unwrap();
    // It complains of all that a whole locale would have as well.
    let mut command = Command::new("localedef");
    let files = ["-f", "./characters", "-i", "./order"];
    command.current_dir(dir).arg("-c").args(files).arg("./backwards");
    command.output().expect("localedef of the package libc-bin");
    assert!(dir.join(LOCALE).join("LC_COLLATE").exists());
}

fn start_backwards(dir: &Path) -> Redis {
    make_locale(dir);
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let server = start(RedisOptions {
        environment: vec![
            variable("LOCPATH", dir.to_str().unwrap()),
            variable("LC_ALL", LOCALE),
        ],
        ..RedisOptions::default()
    });
    let found = server.cli(&["EVAL", "return 'a' < 'b' and 1 or 0", "0"]);
    assert_eq!(found.unwrap(), "0", "the server follows the locale");
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_grow_whatever_the_locale_of_the_server_is() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_backwards(dir.path());
    let world = World::with_views(ViewStore::redis(config_of(&server)).unwrap()).await;
    let handler = world.handler();
    // Over every byte, and from one byte to the next one.
    for position in (1..=258).chain([65_535, 65_536, 1 << 40]).map(Position) {
        handler.store_checkpoint(position).await.expect("an answer");
        assert_eq!(handler.checkpoint().await.unwrap(), position);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_keeps_the_greater_checkpoint_whatever_the_locale_of_the_server_is() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_backwards(dir.path());
    let world = World::with_views(ViewStore::redis(config_of(&server)).unwrap()).await;
    some_life(&world).await;
    let handler = world.handler();
    world.catch_up(&handler).await;
    let further = world.log.head().await.unwrap().next();
    handler.store_checkpoint(further).await.expect("an answer");
    let kind = ProjectionKind::Accounts;
    let rebuilt = rebuild(&world.store, &world.log, &world.keys, kind)
        .await
        .unwrap();
    assert_eq!(rebuilt.position, further);
}
