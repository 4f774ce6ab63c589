//! `segue model list`: what lies in the registry and what was published.

use domain::Digest;
use serde::Serialize;

use super::known::Known;
use crate::output::{Output, table};
use crate::stack::Stack;

#[derive(Serialize)]
struct Row {
    model: Digest,
    /// The next playlist is made with it.
    current: bool,
    /// The registry's pointer names it.
    pointed: bool,
    /// It lies in the registry.
    registered: bool,
    /// Where it was last published; absent when it never was.
    position: Option<u64>,
    kind: Option<String>,
    bytes: Option<u64>,
    trained_on: Option<String>,
}

pub(super) async fn run(stack: &Stack, output: Output) -> anyhow::Result<()> {
    let known = Known::read(stack).await?;
    let rows: Vec<Row> = known
        .models()
        .into_iter()
        .map(|model| row(&known, model))
        .collect();
    output.print(&rows, |rows| text(rows))
}

fn row(known: &Known, model: Digest) -> Row {
    let publication = known.publication(model);
    let published = publication.map(|known| &known.published);
    let entry = known.entry(model);
    Row {
        model,
        current: known
            .current()
            .is_some_and(|current| current.published.model == model),
        pointed: known.pointer.is_some_and(|pointer| pointer.model == model),
        registered: entry.is_some(),
        position: publication.map(|known| known.position.get()),
        kind: published
            .map(|published| published.kind.clone())
            .or_else(|| entry?.kind.clone()),
        bytes: entry.map(|entry| entry.length),
        trained_on: published.map(|published| published.trained_on.clone()),
    }
}

fn text(rows: &[Row]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    table(
        &["model", "kind", "bytes", "position", "trained on", "state"],
        &cells,
    )
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        vec![
            self.model.to_string(),
            or_dash(self.kind.clone()),
            or_dash(self.bytes.map(|bytes| bytes.to_string())),
            or_dash(self.position.map(|position| position.to_string())),
            or_dash(self.trained_on.clone()),
            self.state().join(", "),
        ]
    }

    /// What a person should know of it.
    fn state(&self) -> Vec<&'static str> {
        let states = [
            (self.current, "current"),
            (
                !self.current && self.pointed,
                "named by the registry's pointer, not by the log",
            ),
            (self.position.is_none(), "not published"),
            (!self.registered, "not in the registry"),
        ];
        states
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, state)| state)
            .collect()
    }
}
