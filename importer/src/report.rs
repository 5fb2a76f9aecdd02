//! What goes to standard error while work is done: a progress bar for people, warnings for everybody.

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::time::Duration;

/// The bar of one command. Shows nothing unless standard error is a terminal.
#[derive(Debug, Default)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

const COUNTED: &str = "{msg:22} {bar:30} {percent:>3}%  {pos} of {len} rows  {rate}  {eta} left";
const UNCOUNTED: &str = "{msg:22} {spinner} {elapsed}";

impl Progress {
    /// A phase with a known number of rows.
    pub fn count(&mut self, what: &'static str, rows: u64) {
        let style = style(COUNTED).with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
        });
        self.start(ProgressBar::new(rows).with_style(style).with_message(what));
    }

    /// A phase whose end is not known.
    pub fn wait(&mut self, what: &'static str) {
        let bar = ProgressBar::new_spinner().with_style(style(UNCOUNTED)).with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.start(bar);
    }

    pub fn advance(&self, rows: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(rows);
        }
    }

    /// Prints a line above the bar.
    pub fn warn(&self, message: impl fmt::Display) {
        let line = format!("vecrank: warning: {message}");
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn start(&mut self, bar: ProgressBar) {
        self.finish();
        self.bar = Some(bar);
    }

    /// Takes the bar off the screen.
    pub fn finish(&mut self) {
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
