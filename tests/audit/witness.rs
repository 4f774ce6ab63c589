//! A witness of a log that is served.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::client::{Client, PASSWORD, Request};
use bench::server::{Program, Server, copy_folder};
use eventing::notes::{Checkpoint, SignedCheckpoint, SigningKey, VerifierKey};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::history::{Instance, grow, text};

const PATIENCE: Duration = Duration::from_secs(60);

/// A served log, an auditor's token and a witness's key.
struct Witnessed {
    instance: Instance,
    witness_key: VerifierKey,
}

impl Witnessed {
    async fn new() -> Result<Self> {
        let instance = Instance::with(0).await?;
        let create = ["accounts", "create", "the-auditor", "--role", "auditor"];
        instance.program.tool(&create, PASSWORD).await?;
        let key = instance.file("witness.key");
        let make = [
            "keygen",
            "--witness",
            "--origin",
            "witness.example/w1",
            "--out",
            text(&key),
        ];
        let witness_key = instance.done(&make).await?.trim_end().parse()?;
        Ok(Self {
            instance,
            witness_key,
        })
    }

    /// Serves the data in `data`.
    async fn serve(&self, data: &Path) -> Result<Server> {
        let server = Program::new(env!("CARGO_BIN_EXE_segue"), data)
            .serve(PATIENCE)
            .await?;
        let session = Client::new(server.address())?.sign_in("the-auditor").await?;
        std::fs::write(self.instance.file("token"), format!("{}\n", session.token()))?;
        Ok(server)
    }

    async fn witness(&self, server: &Server) -> Result<(i32, Value)> {
        self.witness_of(server.address()).await
    }

    async fn witness_of(&self, log: SocketAddr) -> Result<(i32, Value)> {
        let (key, state) = (
            self.instance.file("witness.key"),
            self.instance.file("state.json"),
        );
        let (token, log) = (self.instance.file("token"), format!("http://{log}"));
        let arguments = [
            "witness",
            "--log",
            &log,
            "--token-file",
            text(&token),
            "--key",
            text(&key),
            "--state",
            text(&state),
        ];
        self.instance.json(&arguments).await
    }
}

fn refused(answer: &(i32, Value)) -> (i32, &str) {
    (answer.0, answer.1["fault"]["kind"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_cosigns_a_log_as_long_as_it_only_grows() -> Result<()> {
    let witnessed = Witnessed::new().await?;
    let data = witnessed.instance.program.data().to_owned();
    let server = witnessed.serve(&data).await?;
    let (status, first) = witnessed.witness(&server).await?;
    assert_eq!((status, &first["previous_size"]), (0, &0.into()), "{first}");
    let (status, second) = witnessed.witness(&server).await?;
    assert_eq!(
        (status, &second["previous_size"]),
        (0, &first["size"]),
        "{second}"
    );

    let note = second["checkpoint"].as_str().context("a note")?;
    let cosigned = SignedCheckpoint::parse(note.as_bytes())?;
    assert!(cosigned.note().verify(&witnessed.witness_key)?.is_some());
    assert_eq!(cosigned.note().signatures().len(), 2);
    server.stop().await?;

    // Two histories with the same beginning.
    let other = witnessed.instance.file("other");
    copy_folder(&data, &other)?;
    grow(&data, 40).await?;
    let server = witnessed.serve(&data).await?;
    let (status, third) = witnessed.witness(&server).await?;
    assert_eq!(status, 0, "{third}");
    server.stop().await?;
    let state = std::fs::read(witnessed.instance.file("state.json"))?;

    let server = witnessed.serve(&other).await?;
    let back = witnessed.witness(&server).await?;
    assert_eq!(refused(&back), (7, "inconsistent"), "it went back: {}", back.1);
    server.stop().await?;
    grow(&other, 80).await?;
    let server = witnessed.serve(&other).await?;
    let fork = witnessed.witness(&server).await?;
    assert_eq!(
        refused(&fork),
        (7, "inconsistent"),
        "it is another history: {}",
        fork.1
    );
    server.stop().await?;
    assert_eq!(
        std::fs::read(witnessed.instance.file("state.json"))?,
        state,
        "nothing was forgotten"
    );

    let server = witnessed.serve(&data).await?;
    assert_eq!(witnessed.witness(&server).await?.0, 0, "the true one goes on");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_without_a_token_or_a_log_signs_nothing() -> Result<()> {
    let witnessed = Witnessed::new().await?;
    let server = witnessed.serve(witnessed.instance.program.data()).await?;
    let request = Request::get("/v1/audit/checkpoint");
    let answer = Client::new(server.address())?.send(None, &request).await?;
    assert_eq!(answer.status, 401);
    std::fs::write(witnessed.instance.file("token"), "nobody")?;
    let (key, state) = (
        witnessed.instance.file("witness.key"),
        witnessed.instance.file("state.json"),
    );
    let (token, log) = (
        witnessed.instance.file("token"),
        format!("http://{}", server.address()),
    );
    let arguments = |log: &str| {
        let paths = [
            "--token-file",
            text(&token),
            "--key",
            text(&key),
            "--state",
            text(&state),
        ];
        [&["witness", "--log", log], &paths[..]]
            .concat()
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    for (log, why) in [(log.as_str(), "401"), ("http://127.0.0.1:9", "does not answer")] {
        let arguments = arguments(log);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (status, out, said) = witnessed.instance.audit(&arguments).await?;
        assert_eq!((status, out.as_str()), (1, ""));
        assert!(said.contains(why), "{said}");
    }
    assert!(!state.exists());
    server.stop().await
}

/// A log that answers everything with `answers`, by the end of the path that was asked for.
async fn a_log_that_says(answers: Vec<(&'static str, String)>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = vec![0; 4_096];
            let read = stream.read(&mut asked).await.unwrap_or_default();
            let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
            let answer = answers.iter().find(|(path, _)| asked.contains(path));
            let body = answer.map(|(_, body)| body.as_str()).unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok(address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_none_is_unreadable_and_nothing_is_cosigned() -> Result<()> {
    let witnessed = Witnessed::new().await?;
    let key = SigningKey::generate("some-log")?;
    let signed = |size| -> Result<String> {
        Ok(Checkpoint::new("some-log", size, [size as u8; 32])?
            .sign(&key)?
            .to_string())
    };
    std::fs::write(witnessed.instance.file("token"), "a token")?;
    let says = |checkpoint: String, proof: &str| {
        a_log_that_says(vec![
            ("/v1/audit/key", key.verifier().to_string()),
            ("/v1/audit/checkpoint", checkpoint),
            ("/v1/audit/consistency", proof.to_owned()),
        ])
    };
    let (status, first) = witnessed.witness_of(says(signed(3)?, "").await?).await?;
    assert_eq!(status, 0, "{first}");
    let state = std::fs::read(witnessed.instance.file("state.json"))?;
    for proof in ["", "{}", "{\"hashes\":[\"abc\"]}", "{\"hashes\":7}"] {
        let answer = witnessed.witness_of(says(signed(5)?, proof).await?).await?;
        assert_eq!(refused(&answer), (3, "unreadable"), "{proof}: {}", answer.1);
    }
    let no_proof = witnessed
        .witness_of(says(signed(5)?, "{\"hashes\":[]}").await?)
        .await?;
    assert_eq!(refused(&no_proof), (7, "inconsistent"), "{}", no_proof.1);
    assert_eq!(std::fs::read(witnessed.instance.file("state.json"))?, state);
    Ok(())
}
