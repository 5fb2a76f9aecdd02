//! Progress bars and warnings on standard error.

use crate::screen::escaped;
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The bar of one command. Shows nothing unless standard error is a terminal.
#[derive(Debug, Default)]
pub struct Progress {
    bar: Option<ProgressBar>,
    follower: Option<Follower>,
    phases: Vec<Phase>,
}

/// A phase of the work, and when it began.
#[derive(Debug)]
struct Phase {
    what: &'static str,
    began: Instant,
    took: Option<Duration>,
}

/// The unit of a phase's progress.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    Rows,
    Queries,
    Bytes,
}

const COUNTED: &str = "{msg:18} {wide_bar} {percent:>3}%  {done}  {rate}  {eta} left";
const UNCOUNTED: &str = "{msg:18} {spinner} {elapsed}";

/// Interval at which a phase's progress is polled.
const LOOK: Duration = Duration::from_millis(100);

impl Progress {
    /// Starts a phase of known length. `advance` reports each step.
    pub fn count(&mut self, what: &'static str, unit: Unit, total: u64) {
        self.start(what, ProgressBar::new(total).with_style(counted(unit)));
    }

    /// Starts a phase of known length, whose progress `done` returns; None before it has begun.
    pub fn follow(
        &mut self,
        what: &'static str,
        unit: Unit,
        total: u64,
        done: impl Fn() -> Option<u64> + Send + 'static,
    ) {
        self.count(what, unit, total);
        let Some(bar) = self.bar.clone().filter(|bar| !bar.is_hidden()) else { return };
        self.follower = Follower::start(move || match done() {
            Some(done) => bar.set_position(done.min(total)),
            None => bar.tick(),
        });
    }

    /// Starts a phase of unknown length.
    pub fn wait(&mut self, what: &'static str) {
        let bar = ProgressBar::new_spinner().with_style(style(UNCOUNTED));
        // It draws from now on, so the last bar must be gone.
        self.start(what, bar.clone());
        bar.enable_steady_tick(Duration::from_millis(200));
    }

    pub fn advance(&self, steps: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(steps);
        }
    }

    /// Prints a line above the bar.
    pub fn warn(&self, message: impl fmt::Display) {
        let line = format!("vecrank: warning: {}", escaped(&message.to_string()));
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn start(&mut self, what: &'static str, bar: ProgressBar) {
        self.finish();
        self.bar = Some(bar.with_message(what));
        self.phases.push(Phase { what, began: Instant::now(), took: None });
    }

    /// The finished phases, with the time that each took. Those of one name, such as of several shards, are summed.
    pub fn phases(&self) -> Vec<(&'static str, Duration)> {
        let mut phases: Vec<(&'static str, Duration)> = Vec::new();
        for (what, took) in self.phases.iter().filter_map(|phase| Some((phase.what, phase.took?))) {
            match phases.iter_mut().find(|(known, _)| *known == what) {
                Some((_, sum)) => *sum += took,
                None => phases.push((what, took)),
            }
        }
        phases
    }

    /// Removes the bar from the screen and ends the phase.
    pub fn finish(&mut self) {
        self.follower = None;
        if let Some(phase) = self.phases.last_mut().filter(|phase| phase.took.is_none()) {
            phase.took = Some(phase.began.elapsed());
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A thread that polls the progress until it is dropped.
#[derive(Debug)]
struct Follower {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// None if the system refuses a thread: there is no bar then.
    fn start(look: impl Fn() + Send + 'static) -> Option<Follower> {
        let (stop, stopped) = channel::<()>();
        let run = move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                look();
            }
        };
        let thread = std::thread::Builder::new().spawn(run).ok()?;
        Some(Follower { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn counted(unit: Unit) -> ProgressStyle {
    let (noun, count): (_, fn(u64) -> String) = match unit {
        Unit::Rows => (" rows", |count| HumanCount(count).to_string()),
        Unit::Queries => (" queries", |count| HumanCount(count).to_string()),
        Unit::Bytes => ("", human_bytes),
    };
    style(COUNTED)
        .with_key("done", move |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{} of {}{noun}", count(state.pos()), count(state.len().unwrap_or(0)));
        })
        .with_key("rate", move |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}/s", count(state.per_sec() as u64));
        })
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Such as `48.2 MB`; powers of ten.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 row`, `2 rows`.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(human_bytes(999), "999 bytes");
        assert_eq!(human_bytes(1000), "1.0 kB");
        assert_eq!(human_bytes(999_999), "1.0 MB");
        assert_eq!(human_bytes(48_234_496), "48.2 MB");
    }

    #[test]
    fn the_templates_are_sound() {
        ProgressStyle::with_template(COUNTED).unwrap();
        ProgressStyle::with_template(UNCOUNTED).unwrap();
    }
}
