//! `segue audit as-of`: a stream as it was.

use domain::{AccessCall, Asked, access::StreamName};
use eventing::StreamId;
use projectors::{At, History, State, StateAt};

use crate::Outcome;
use crate::access;
use crate::output::Output;
use crate::stack::Stack;
use crate::tools::audit::{moment, told};

/// Which stream, and when.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AsOfArguments {
    /// The stream, as `playlist-0198c5f2-...`.
    stream: StreamId,
    /// A position or an RFC 3339 time.
    #[arg(long, value_name = "POSITION|TIME")]
    at: At,
}

pub(crate) async fn run(stack: &Stack, output: Output, arguments: &AsOfArguments) -> anyhow::Result<Outcome> {
    let moment = moment(stack, "--at", arguments.at).await?;
    let state = history(stack).state(&arguments.stream, moment).await?;
    let (position, time) = match arguments.at {
        At::Position(position) => (Some(position.get()), None),
        At::Time(time) => (None, Some(time)),
    };
    let asked = Asked {
        stream: Some(StreamName::parse(arguments.stream.as_str())?),
        position,
        time,
        ..Asked::all()
    };
    access::record(stack, AccessCall::StreamAsOf, asked).await?;
    output.print(&state, text)?;
    Ok(Outcome::Done)
}

pub(crate) fn history(stack: &Stack) -> History {
    History::new(stack.log.clone(), stack.keys.clone(), stack.catalogues.clone())
}

fn text(state: &StateAt) -> String {
    format!(
        "{} as of position {} ({}): version {}, last changed at position {}\n{}",
        state.stream,
        state.at,
        state.at_time.format("%Y-%m-%d %H:%M:%S UTC"),
        state.version,
        state.position,
        state_text(&state.state)
    )
}

/// The state, a line for each of its fields.
pub(crate) fn state_text(state: &State) -> String {
    match state {
        State::Erased { .. } => "the person was forgotten; nothing else is known".to_owned(),
        state => told(&serde_json::to_value(state).unwrap_or_default()),
    }
}
