//! Durations and what is said of them.

use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub async fn take(&mut self, work: impl Future<Output = ()>) {
        let began = Instant::now();
        work.await;
        self.0.push(began.elapsed());
    }

    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// The duration that `percent` of them do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
    }

    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    pub fn mean_and_variance(&self) -> (f64, f64) {
        let seconds: Vec<f64> = self.0.iter().map(Duration::as_secs_f64).collect();
        #[allow(clippy::cast_precision_loss, reason = "a count of samples is small")]
        let count = seconds.len() as f64;
        let mean = seconds.iter().sum::<f64>() / count;
        let variance = seconds.iter().map(|second| (second - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    }
}

pub fn millis(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
