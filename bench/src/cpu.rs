//! How much of the machine others took while something was measured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Above this share a measurement says more about the neighbours than about Segue.
pub const OTHERS_MAX: f64 = 0.10;

/// Clock ticks a second in `/proc`; fixed at 100 on every Linux we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A measurement that has begun.
#[derive(Debug)]
pub struct CpuWatch {
    began: Instant,
    busy: u64,
    own: u64,
}

impl CpuWatch {
    /// Begins. This process and all that it started are our own, and so are all that those started: a database's sessions
    /// and a broker's node are two steps away.
    #[must_use]
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            busy: busy_ticks(),
            own: own_ticks(),
        }
    }

    /// The share of all cores' time, 0 to 1, that others took since.
    ///
    /// Time in interrupts is left out: the kernel does not say for whom it worked then. Time stolen by a hypervisor is in.
    #[must_use]
    pub fn others(&self) -> f64 {
        let busy = busy_ticks().saturating_sub(self.busy);
        let own = own_ticks().saturating_sub(self.own);
        self.share(busy.saturating_sub(own))
    }

    /// The share of all cores' time, 0 to 1, that was our own since: the load, the servers and Segue.
    #[must_use]
    pub fn own(&self) -> f64 {
        self.share(own_ticks().saturating_sub(self.own))
    }

    fn share(&self, ticks: u64) -> f64 {
        let capacity = self.began.elapsed().as_secs_f64() * TICKS_PER_SECOND * cores() as f64;
        ticks as f64 / capacity.max(1.0)
    }
}

/// What the process with this id has used so far, with those of its children that have ended; nothing when it has ended.
#[must_use]
pub fn used_by(id: u32) -> Duration {
    let ticks = process(id).map_or(0, |process| process.ticks);
    Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND)
}

/// How many cores there are.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn busy_ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    // user, nice, system, (idle, iowait, irq, softirq,) steal
    [0, 1, 2, 7].iter().filter_map(|&i| ticks.get(i)).sum()
}

/// What this process and its descendants used, those included that have ended: their parent has inherited their time.
fn own_ticks() -> u64 {
    let processes = processes();
    let mut of = vec![std::process::id()];
    let mut ticks = 0;
    while let Some(id) = of.pop() {
        ticks += processes.get(&id).map_or(0, |process| process.ticks);
        let children = processes.iter().filter(|(_, process)| process.parent == id);
        of.extend(children.map(|(id, _)| *id));
    }
    ticks
}

struct Process {
    parent: u32,
    /// utime, stime, cutime and cstime, added up.
    ticks: u64,
}

fn processes() -> BTreeMap<u32, Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| Some((id, process(id)?))).collect()
}

/// `None` when it has just ended.
fn process(id: u32) -> Option<Process> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it may hold anything, brackets too.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter();
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks.filter_map(|word| word.parse::<u64>().ok()).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn work_of_a_grandchild_is_our_own_while_it_runs_and_when_it_has_ended() -> std::io::Result<()> {
        let myself = || process(std::process::id()).map_or(0, |process| process.ticks);
        // So much work, not so much time: a busy machine gives little of its time.
        let work = "sh -c 'i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done'; read end";
        let mut shell = Command::new("sh")
            .args(["-c", work])
            .stdin(Stdio::piped())
            .spawn()?;
        let began = Instant::now();
        let (mut alone, mut during) = (myself(), own_ticks());
        while during < alone + 5 && began.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(10));
            (alone, during) = (myself(), own_ticks());
        }
        assert!(during >= alone + 5, "{during} in all, {alone} by itself");
        drop(shell.stdin.take());
        shell.wait()?;
        assert!(own_ticks() >= during);
        Ok(())
    }
}
