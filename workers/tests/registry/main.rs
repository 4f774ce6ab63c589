//! The registry as a folder of files.

mod contract;
mod library;

use std::fs;
use std::path::PathBuf;

use contract::{UnderTest, registry_contract};
use domain::Digest;
use workers::Registry;
use workers::registry::Generation;

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    #[expect(
        clippy::unused_async,
        reason = "other registries are made with a server's help"
    )]
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("models").join(name)
    }

    fn model(&self, model: Digest) -> PathBuf {
        self.file(&format!("{model}.json"))
    }
}

impl UnderTest for Files {
    fn registry(&self) -> Registry {
        Registry::files(self.dir.path().join("models"))
    }

    async fn change(&self, model: Digest) {
        let mut bytes = fs::read(self.model(model)).unwrap();
        bytes[0] ^= 1;
        fs::write(self.model(model), bytes).unwrap();
    }

    async fn cut(&self, model: Digest) {
        let bytes = fs::read(self.model(model)).unwrap();
        fs::write(self.model(model), &bytes[..bytes.len() / 2]).unwrap();
    }

    async fn spoil_move(&self, generation: Generation) {
        let record = self.file(&format!("current-{:020}", generation.0));
        assert!(record.exists());
        fs::write(record, "no digest").unwrap();
    }
}

registry_contract!(files, crate::Files::new);
