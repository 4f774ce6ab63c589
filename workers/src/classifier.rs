//! The role `classifier`: keeps the views of taste, playlists and library, and answers requests for playlists.
//!
//! Any number of these may run, in one process or in many: they compete for what the queue brings, and the log lets
//! one answer each request.

use std::sync::Arc;

use eventing::consumer::{Consumer, ConsumerStatus};
use projectors::{ProjectionHandler, ProjectionKind};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::generator::{Generator, GeneratorSettings, GeneratorTask};
use crate::intake::Intake;
use crate::library::Library;
use crate::measures::GenerationMeasures;
use crate::parts::{CLASSIFICATION, Parts, WorkerError};

/// The views it keeps.
pub const PROJECTIONS: [ProjectionKind; 3] = [
    ProjectionKind::TasteModels,
    ProjectionKind::Playlists,
    ProjectionKind::Library,
];
/// The consumer's name: stored state.
pub const CONSUMER: &str = "classifier";

/// The role's bounds.
pub type ClassifierSettings = GeneratorSettings;

/// The role, ready to run.
pub struct ClassifierWorker {
    consumer: Consumer<Intake>,
    generator: GeneratorTask,
    measures: GenerationMeasures,
}

impl ClassifierWorker {
    /// Makes the role ready. Views that are not there yet begin empty.
    ///
    /// # Errors
    /// - `Views`: the store cannot be written. Nothing is changed.
    pub fn new(parts: &Parts, library: Library, settings: ClassifierSettings) -> Result<Self, WorkerError> {
        let projections =
            ProjectionHandler::new(parts.views.clone(), parts.keys.clone(), CONSUMER, &PROJECTIONS)?;
        let generator = Generator::new(parts.clone(), library);
        let measures = generator.measures().clone();
        let (generator, inbox) = GeneratorTask::new(generator, settings);
        let intake = Arc::new(Intake::new(projections, inbox));
        let consumer = Consumer::new(intake, parts.log.clone(), parts.bus.clone(), CLASSIFICATION);
        Ok(Self {
            consumer,
            generator,
            measures,
        })
    }

    /// What it says of the playlists that it makes.
    #[must_use]
    pub fn measures(&self) -> &GenerationMeasures {
        &self.measures
    }

    /// Where its consumer stands, for readiness.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ConsumerStatus> {
        self.consumer.status()
    }

    /// Works until `shutdown`, then takes nothing new, finishes the batch and the playlists in hand, and returns.
    /// Dropping the future is like a crash: safe.
    ///
    /// # Errors
    /// - `Consumer`: it must not go on, and a person must look.
    /// - `Panicked`: a defect in the program; a new start goes on from what is stored.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), WorkerError> {
        let Self {
            consumer, generator, ..
        } = self;
        let stop = shutdown.child_token();
        // Whichever of the two ends, and however this ends, the other is told.
        let _stop_both = stop.clone().drop_guard();
        let mut generating = tokio::spawn(generator.run(stop.clone()));
        let mut consuming = tokio::spawn(consumer.run(stop.clone()));
        let (consumed, generated) = tokio::select! {
            consumed = &mut consuming => { stop.cancel(); (consumed, generating.await) }
            generated = &mut generating => { stop.cancel(); (consuming.await, generated) }
        };
        generated.map_err(|_| WorkerError::Panicked("generator"))?;
        consumed.map_err(|_| WorkerError::Panicked("consumer"))??;
        Ok(())
    }
}
