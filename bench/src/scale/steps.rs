//! What happens to the stack while the load runs.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::Plan;
use super::cost::{Cost, Watch};
use super::service::Service;
use super::tally::Tally;
use crate::autoscaler::Manifest;
use crate::cluster::{Cluster, Role};

/// How long a process may take to be asked for, to be ready, and to get requests.
const TAKEN_IN_LIMIT: Duration = Duration::from_secs(30);

/// The stack under load.
pub(super) struct Steps<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cluster: &'a mut Cluster,
    pub(super) service: &'a Service,
    pub(super) tally: Tally,
    pub(super) scaler: &'a Manifest,
}

impl Steps<'_> {
    /// One after the other: more classifiers and fewer, then each process anew. Hands back what each phase cost, in their order.
    ///
    /// # Errors
    /// When a process ends by itself, is not ready in time, or does not stop in order.
    pub(super) async fn run(mut self) -> Result<Vec<Cost>> {
        let mut costs = vec![self.measured(async |_| Ok(())).await?];
        for classifiers in self.plan.classifiers.clone() {
            if self.cluster.count(Role::Classifier) != classifiers {
                costs.push(self.scaled(classifiers).await?);
            }
            self.tally.begin(counted(classifiers, "classifier"));
            let steady = self.plan.steady;
            costs.push(
                self.measured(async |_| {
                    sleep(steady).await;
                    Ok(())
                })
                .await?,
            );
        }
        costs.push(self.scaled(2).await?);
        for role in Role::ALL {
            costs.push(self.restarted(role).await?);
        }
        costs.push(self.killed().await?);
        costs.push(self.broker_restarted().await?);
        Ok(costs)
    }

    async fn scaled(&mut self, classifiers: usize) -> Result<Cost> {
        let before = self.cluster.count(Role::Classifier);
        self.tally
            .begin(format!("from {before} to {}", counted(classifiers, "classifier")));
        self.measured(async |steps| steps.cluster.scale(Role::Classifier, classifiers).await)
            .await
    }

    /// A rolling update: a new process is ready before an old one is told to stop.
    async fn restarted(&mut self, role: Role) -> Result<Cost> {
        let count = self.cluster.count(role);
        let name = counted(count, role.command());
        self.tally.begin(format!("{name} replaced one after the other"));
        self.measured(async |steps| {
            for _ in 0..count {
                steps.replace(role, count).await?;
            }
            Ok(())
        })
        .await
    }

    async fn replace(&mut self, role: Role, count: usize) -> Result<()> {
        self.cluster.run(&[role]).await?;
        let is_rest = role == Role::Rest;
        let old = self.cluster.of(role).next().context("no such process")?.address();
        if is_rest {
            let fresh = self.cluster.of(role).last().context("no such process")?.address();
            self.service.add(fresh)?;
            self.service.until_ready(count + 1, TAKEN_IN_LIMIT).await?;
        }
        self.cluster.stop_first(role).await?;
        if is_rest {
            self.service.remove(old);
        }
        Ok(())
    }

    /// SIGKILL, as from a machine that is out of memory. Of REST processes there is no such step: with one of them, the
    /// requests that it has in hand go.
    async fn killed(&mut self) -> Result<Cost> {
        self.tally.begin("usermanagement and each classifier killed");
        self.measured(async |steps| {
            for role in [Role::Usermanagement, Role::Classifier] {
                for index in 0..steps.cluster.count(role) {
                    steps.cluster.replace(role, index).await?;
                    steps.cluster.all_ready().await?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn broker_restarted(&mut self) -> Result<Cost> {
        self.tally.begin("RabbitMQ restarted");
        self.measured(async |steps| {
            tokio::task::block_in_place(|| steps.cluster.rabbitmq.stop());
            steps.cluster.rabbitmq.restart().await?;
            steps.cluster.all_ready().await
        })
        .await
    }

    /// Does `work`, gives the stack a moment more, and says what all of it cost.
    async fn measured(&mut self, work: impl AsyncFnOnce(&mut Self) -> Result<()>) -> Result<Cost> {
        let watch = Watch::start(self.cluster);
        work(self).await?;
        sleep(self.plan.pause).await;
        watch.cost(self.cluster, self.scaler)
    }
}

/// `1 classifier`, `2 classifiers`, `1 rest`.
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 || what != "classifier" {
        ""
    } else {
        "s"
    };
    format!("{count} {what}{plural}")
}
