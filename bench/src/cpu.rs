//! How much of the machine others took while something was measured.

use std::time::Instant;

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
    pids: Vec<u32>,
}

impl CpuWatch {
    /// Begins, with this process, its finished children and `pids` counted as our own.
    #[must_use]
    pub fn start(pids: &[u32]) -> Self {
        Self {
            began: Instant::now(),
            busy: busy_ticks(),
            own: own_ticks(pids),
            pids: pids.to_vec(),
        }
    }

    /// The share of all cores' time, 0 to 1, that others took since.
    ///
    /// Time in interrupts is left out: the kernel does not say for whom it worked then. Time stolen by a hypervisor is in.
    #[must_use]
    pub fn others(&self) -> f64 {
        let busy = busy_ticks().saturating_sub(self.busy);
        let own = own_ticks(&self.pids).saturating_sub(self.own);
        let capacity = self.began.elapsed().as_secs_f64() * TICKS_PER_SECOND * cores() as f64;
        busy.saturating_sub(own) as f64 / capacity.max(1.0)
    }
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

fn own_ticks(pids: &[u32]) -> u64 {
    let own = ticks_of("self", 4);
    own + pids.iter().map(|pid| ticks_of(&pid.to_string(), 2)).sum::<u64>()
}

/// The first `fields` of utime, stime, cutime, cstime, added up.
fn ticks_of(process: &str, fields: usize) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(fields);
    ticks.filter_map(|word| word.parse::<u64>().ok()).sum()
}
