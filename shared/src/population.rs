//! The kinds of passwords as a running function holds them: read once, looked at again every minute.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::population::Population;
use crate::error::{Causes, Result};
use crate::store::Store;

/// How long counts are used without looking again.
const FRESH: Duration = Duration::from_mins(1);

/// The counts as a running function holds them.
#[derive(Debug, Default)]
pub(crate) struct PopulationCache(RwLock<Option<(Arc<Population>, Timestamp)>>);

impl PopulationCache {
    /// # Errors
    /// Only when the table cannot be read and never was.
    pub async fn get(&self, store: &Store, now: Timestamp) -> Result<Arc<Population>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((population, at)) = &held
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(population));
        }
        match (store.population().await, held) {
            (Ok(population), _) => {
                let population = Arc::new(population);
                *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&population), now));
                Ok(population)
            }
            (Err(error), Some((population, _))) => {
                tracing::warn!(error.message = %Causes(&error), "failed to refresh the counts of password kinds; using the cached ones");
                Ok(population)
            }
            (Err(error), None) => Err(error),
        }
    }
}
