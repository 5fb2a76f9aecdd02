//! Counters in the text format of Prometheus.

use super::connections::Report;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

#[derive(Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: BTreeMap<(String, u16), u64>,
    /// Requests up to each bound, without those up to the bound before.
    buckets: [u64; SECONDS.len()],
    seconds: f64,
    answered: u64,
}

impl Metrics {
    pub fn count(&self, route: String, status: u16, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.requests.entry((route, status)).or_default() += 1;
        let seconds = took.as_secs_f64();
        if let Some((bucket, _)) = counts.buckets.iter_mut().zip(SECONDS).find(|(_, bound)| seconds <= *bound) {
            *bucket += 1;
        }
        counts.seconds += seconds;
        counts.answered += 1;
    }

    pub fn text(&self, file: &Report) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = head("vecrank_requests_total", "counter", "Requests by route and status");
        for ((route, status), count) in &counts.requests {
            let _ = writeln!(text, "vecrank_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
        }
        text += &head("vecrank_request_seconds", "histogram", "Time to answer");
        let mut sum = 0;
        for (bucket, bound) in counts.buckets.iter().zip(SECONDS) {
            sum += bucket;
            let _ = writeln!(text, "vecrank_request_seconds_bucket{{le=\"{bound}\"}} {sum}");
        }
        let answered = counts.answered;
        let _ = writeln!(text, "vecrank_request_seconds_bucket{{le=\"+Inf\"}} {answered}");
        let _ = writeln!(text, "vecrank_request_seconds_sum {}", counts.seconds);
        let _ = writeln!(text, "vecrank_request_seconds_count {answered}");
        text += &head("vecrank_file_swaps", "gauge", "New files put in place since the start");
        let _ = writeln!(text, "vecrank_file_swaps {}", file.swaps);
        text += &head("vecrank_file_refused", "gauge", "1 if the file there now cannot be used");
        let _ = writeln!(text, "vecrank_file_refused {}", u8::from(file.fault.is_some()));
        text
    }
}

fn head(name: &str, kind: &str, help: &str) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        for milliseconds in [1, 2, 2, 9000] {
            metrics.count("/feed".to_owned(), 200, Duration::from_millis(milliseconds));
        }
        let text = metrics.text(&Report::default());
        for line in [
            "vecrank_requests_total{route=\"/feed\",status=\"200\"} 4",
            "vecrank_request_seconds_bucket{le=\"0.001\"} 1",
            "vecrank_request_seconds_bucket{le=\"0.0025\"} 3",
            "vecrank_request_seconds_bucket{le=\"2.5\"} 3",
            "vecrank_request_seconds_bucket{le=\"+Inf\"} 4",
            "vecrank_request_seconds_sum 9.005",
            "vecrank_file_refused 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
