//! `segue demo`: the whole story, told by the program itself against its own HTTP port.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use anyhow::{Context, ensure};
use eventing::bus::Bus;
use reqwest::{Client, Method, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Outcome;
use crate::output::{Output, remark};
use crate::roles::Role;
use crate::sealing;
use crate::serve::Running;
use crate::settings::{Serving, Settings, Switch};
use crate::stack::Stack;
use crate::tools::audit::replay;
use crate::tools::catalogue;
use crate::traces::Traces;

const PASSWORD: &str = "correct horse battery staple";
const LISTENER: &str = "ada";
const AUDITOR: &str = "grace";
/// How many tracks the listener likes, and as many that they dislike.
const RATED: usize = 8;
const PLAYLIST_TRACKS: usize = 10;

/// What the demo came to.
#[derive(Serialize)]
struct Story {
    events: usize,
    tracks: usize,
    replay_identical: bool,
    seconds: f64,
}

pub(crate) async fn run(output: Output) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let folder = tempfile::tempdir()?;
    let settings = Settings::in_folder(folder.path());
    remark(&format!("A new instance in {}", folder.path().display()));
    catalogue::ensure_demo(&settings).await?;
    let stack = Stack::open(&settings).await?;
    let sealer = sealing::sealer(&stack, &settings).await?;
    let running = Running::start(&stack, sealer, Bus::in_process(), &serving(), Role::ALL).await?;
    let told = tell(&stack, &Api::at(running.address())).await;
    running.stop().await?;
    let story = Story {
        seconds: started.elapsed().as_secs_f64(),
        ..told?
    };
    output.print(&story, |story| {
        let Story { events, tracks, seconds, .. } = story;
        format!("\n{events} events, a playlist of {tracks} tracks, proven by replay, in {seconds:.1} s. The folder is deleted now.")
    })?;
    Ok(if story.replay_identical {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}

fn serving() -> Serving {
    Serving {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        throttle: Switch::On,
        drain_timeout_s: 5,
        drain_delay_s: 0,
        traces: Traces::none(),
    }
}

async fn tell(stack: &Stack, api: &Api) -> anyhow::Result<Story> {
    chapter("A listener registers and signs in");
    let listener = api.join(LISTENER).await?;
    chapter("They rate some tracks");
    rate(api, &listener).await?;
    chapter("What the model believes now");
    taste(api, &listener).await?;
    chapter("They ask for a playlist and wait for it");
    let tracks = playlist(api, &listener).await?;
    chapter("An auditor reads the history");
    let events = history(stack, api).await?;
    chapter("The history is folded again and compared with what is served");
    let replay = replay::replay(stack).await?;
    remark(&replay.text());
    Ok(Story {
        events,
        tracks,
        replay_identical: replay.is_identical(),
        seconds: 0.0,
    })
}

fn chapter(title: &str) {
    remark(&format!("\n== {title}"));
}

/// Likes tracks of one artist and dislikes others, so that there is a taste to learn.
async fn rate(api: &Api, token: &str) -> anyhow::Result<()> {
    let page = api.get("/v1/tracks?limit=500", token).await?;
    let tracks = items(&page)?;
    let favourite = artist_of(&tracks[0]);
    let (liked, others): (Vec<_>, Vec<_>) = tracks.iter().partition(|track| artist_of(track) == favourite);
    for (track, rating) in liked.iter().take(RATED).map(|track| (track, "like")) {
        rate_one(api, token, track, rating).await?;
    }
    for (track, rating) in others.iter().take(RATED).map(|track| (track, "dislike")) {
        rate_one(api, token, track, rating).await?;
    }
    Ok(())
}

async fn rate_one(api: &Api, token: &str, track: &Value, rating: &str) -> anyhow::Result<()> {
    let id = text(track, "id");
    let answer = api
        .send(
            Method::PUT,
            &format!("/v1/me/ratings/{id}"),
            Some(token),
            Some(json!({"rating": rating})),
        )
        .await?;
    let position = header(&answer, "segue-position");
    remark(&format!(
        "  {rating:<7} {} by {}  -> position {position}",
        text(track, "name"),
        artist_of(track)
    ));
    Ok(())
}

async fn taste(api: &Api, token: &str) -> anyhow::Result<()> {
    let answer = api.get("/v1/me/taste", token).await?;
    let features = answer
        .get("features")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for feature in features {
        let mean = |class: &str| feature[class]["mean"].as_f64().unwrap_or_default();
        remark(&format!(
            "  {:<18} likes {:+.2}, dislikes {:+.2} deviations from the catalogue's mean",
            text(&feature, "feature"),
            mean("like"),
            mean("dislike")
        ));
    }
    Ok(())
}

async fn playlist(api: &Api, token: &str) -> anyhow::Result<usize> {
    let asked = Instant::now();
    let request = json!({"name": "A first playlist", "limit": PLAYLIST_TRACKS});
    let answer = api
        .send(Method::POST, "/v1/playlists", Some(token), Some(request))
        .await?;
    let location = header(&answer, "location");
    let playlist = api.waiting(&location, token).await?;
    let status = text(&playlist, "status");
    ensure!(status == "ready", "the playlist is {status}: {playlist}");
    let items = items(&playlist)?;
    remark(&format!(
        "  {location} ready after {} ms",
        asked.elapsed().as_millis()
    ));
    for item in items {
        let track = &item["track"];
        let score = item["score"].as_f64().unwrap_or_default();
        remark(&format!(
            "  {score:>7.3}  {} by {}  ({})",
            text(track, "name"),
            artist_of(track),
            reasons(item)
        ));
    }
    Ok(items.len())
}

/// The three contributions that weigh most.
fn reasons(item: &Value) -> String {
    let mut parts: Vec<(&str, f64)> = item["explanation"].as_array().map_or_else(Vec::new, |parts| {
        parts
            .iter()
            .filter_map(|part| Some((part["feature"].as_str()?, part["contribution"].as_f64()?)))
            .collect()
    });
    parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    parts
        .iter()
        .take(3)
        .map(|(feature, value)| format!("{feature} {value:+.2}"))
        .collect::<Vec<_>>()
        .join(", ")
}

async fn history(stack: &Stack, api: &Api) -> anyhow::Result<usize> {
    let account = api.register(AUDITOR).await?;
    // Before the session begins: a session is let through with at least the role that the account had then.
    crate::tools::accounts::grant(stack, account, domain::Role::Auditor).await?;
    let auditor = api.sign_in(AUDITOR).await?;
    let page = api.get("/v1/events?limit=1000", &auditor).await?;
    let events = items(&page)?;
    for event in events {
        let [kind, stream, state] = ["type", "stream", "datastate"].map(|field| text(event, field));
        remark(&format!(
            "  {:>4}  {kind:<26} {stream}  {state}",
            event["position"]
        ));
    }
    Ok(events.len())
}

fn items(page: &Value) -> anyhow::Result<&Vec<Value>> {
    page["items"]
        .as_array()
        .with_context(|| format!("a list was expected, not {page}"))
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn artist_of(track: &Value) -> String {
    track["artists"][0]
        .as_str()
        .or_else(|| track["artists"][0]["name"].as_str())
        .unwrap_or_default()
        .to_owned()
}

fn header(answer: &Response, name: &str) -> String {
    answer
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

/// The instance's own HTTP interface, as a client sees it.
struct Api {
    client: Client,
    base: String,
}

impl Api {
    fn at(address: SocketAddr) -> Self {
        Self {
            client: Client::new(),
            base: format!("http://{address}"),
        }
    }

    /// Registers and signs in; the session's token.
    async fn join(&self, username: &str) -> anyhow::Result<String> {
        self.register(username).await?;
        self.sign_in(username).await
    }

    async fn register(&self, username: &str) -> anyhow::Result<domain::AccountId> {
        let answer = self.identify("/v1/accounts", "registered", username).await?;
        let account: Value = answer.json().await?;
        text(&account, "id").parse().context("the account's id")
    }

    async fn sign_in(&self, username: &str) -> anyhow::Result<String> {
        let answer = self.identify("/v1/sessions", "signed in ", username).await?;
        let session: Value = answer.json().await?;
        Ok(text(&session, "token"))
    }

    async fn identify(&self, path: &str, what: &str, username: &str) -> anyhow::Result<Response> {
        let who = json!({"username": username, "password": PASSWORD});
        let answer = self.send(Method::POST, path, None, Some(who)).await?;
        let position = header(&answer, "segue-position");
        remark(&format!("  {what} {username} -> position {position}"));
        Ok(answer)
    }

    async fn get(&self, path: &str, token: &str) -> anyhow::Result<Value> {
        Ok(self
            .send(Method::GET, path, Some(token), None)
            .await?
            .json()
            .await?)
    }

    async fn waiting(&self, path: &str, token: &str) -> anyhow::Result<Value> {
        let request = self
            .client
            .get(format!("{}{path}", self.base))
            .bearer_auth(token)
            .header("prefer", "wait=10");
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Sends a request and insists on success. Starting, it is asked again while the instance is not ready.
    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<Response> {
        loop {
            let mut request = self
                .client
                .request(method.clone(), format!("{}{path}", self.base));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = request.send().await?;
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            }
            let status = answer.status();
            if !status.is_success() {
                anyhow::bail!("{method} {path} answered {status}: {}", answer.text().await?);
            }
            return Ok(answer);
        }
    }
}
