//! `segue model evaluate`: how well ratings are predicted over a base model, beside the neutral one and naive Bayes.

use anyhow::Context;
use classifier::BaseModel;
use classifier::evaluate::{Orders, Predictor, Scores, learning_curve};
use classifier::learner::relevance;
use domain::Digest;
use serde::Serialize;

use super::known::{Known, find};
use super::publish::refuse_other_features;
use super::ratings::read_ratings;
use crate::cli::EvaluateArguments;
use crate::output::{Output, table};
use crate::stack::Stack;
use crate::tools::catalogue::frozen_schema;

#[derive(Serialize)]
struct Evaluated {
    model: Digest,
    kind: String,
    /// What the model was fitted to: where that holds the same ratings, the figures say nothing.
    trained_on: String,
    listeners: usize,
    ratings: usize,
    /// Random orders of each listener's ratings; absent where the file's order was taken.
    draws: Option<u32>,
    points: Vec<Point>,
}

/// What is predicted after so many ratings.
#[derive(Serialize)]
struct Point {
    learned: usize,
    /// Listeners with later ratings, once per order.
    sequences: usize,
    predictions: usize,
    /// The learner that playlists are made with, over the model.
    of_model: Scores,
    /// The same over the neutral model.
    of_neutral: Scores,
    /// Hierarchical naive Bayes over the model.
    of_naive_bayes: Scores,
}

pub(super) async fn run(stack: &Stack, output: Output, arguments: &EvaluateArguments) -> anyhow::Result<()> {
    let evaluated = evaluate(stack, arguments).await?;
    output.print(&evaluated, Evaluated::text)
}

async fn evaluate(stack: &Stack, arguments: &EvaluateArguments) -> anyhow::Result<Evaluated> {
    let schema = frozen_schema(stack)
        .await?
        .context("import a catalogue first: it freezes the feature schema")?;
    let model = wanted(stack, arguments.model.as_deref()).await?;
    refuse_other_features(stack, &model).await?;
    let listeners = read_ratings(&arguments.ratings, &schema)?;
    let orders = arguments.draws.map_or(Orders::AsGiven, |draws| Orders::Drawn {
        draws,
        seed: arguments.seed,
    });
    let relevance = relevance(&schema);
    let curve = |base: &BaseModel, predictor| learning_curve(base, predictor, &listeners, orders);
    let of_model = curve(&model, Predictor::Learner(&relevance));
    let of_neutral = curve(&BaseModel::neutral(&schema), Predictor::Learner(&relevance));
    let of_naive_bayes = curve(&model, Predictor::NaiveBayes);
    // All have the same points: which there are depends on the ratings alone.
    let others = of_neutral.iter().zip(&of_naive_bayes);
    let points = of_model
        .iter()
        .zip(others)
        .map(|(point, (neutral, naive_bayes))| Point {
            learned: point.learned,
            sequences: point.sequences,
            predictions: point.predictions,
            of_model: point.scores,
            of_neutral: neutral.scores,
            of_naive_bayes: naive_bayes.scores,
        });
    Ok(Evaluated {
        model: model.fingerprint(),
        points: points.collect(),
        kind: model.kind,
        trained_on: model.trained_on,
        listeners: listeners.len(),
        ratings: listeners.iter().map(Vec::len).sum(),
        draws: arguments.draws,
    })
}

async fn wanted(stack: &Stack, what: Option<&str>) -> anyhow::Result<BaseModel> {
    if let Some(what) = what {
        return find(stack, what).await;
    }
    let known = Known::read(stack).await?;
    let current = known.current().context("no model is published yet")?;
    known.model(stack, current.published.model).await
}

impl Evaluated {
    fn text(&self) -> String {
        let Self {
            model,
            kind,
            trained_on,
            listeners,
            ratings,
            ..
        } = self;
        let order = self.draws.map_or_else(
            || "in the file's order".to_owned(),
            |draws| format!("in {draws} random orders"),
        );
        format!(
            "model {model} ({kind}), trained on {trained_on}\n{ratings} ratings by {listeners} listeners, {order}\n{}",
            self.table()
        )
    }

    fn table(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .points
            .iter()
            .flat_map(|point| {
                [
                    ("model", &point.of_model),
                    ("neutral", &point.of_neutral),
                    ("naive Bayes over the model", &point.of_naive_bayes),
                ]
                .map(|(name, scores)| point.cells(name, scores))
            })
            .collect();
        table(
            &[
                "ratings",
                "predicted",
                "by",
                "AUC",
                "log-loss",
                "Brier",
                "calibration error",
            ],
            &rows,
        )
    }
}

impl Point {
    fn cells(&self, name: &str, scores: &Scores) -> Vec<String> {
        let auc = scores
            .auc
            .map_or_else(|| "-".to_owned(), |auc| format!("{auc:.4}"));
        vec![
            self.learned.to_string(),
            self.predictions.to_string(),
            name.to_owned(),
            auc,
            format!("{:.4}", scores.log_loss),
            format!("{:.4}", scores.brier),
            format!("{:.4}", scores.calibration_error),
        ]
    }
}
