//! The parts of a table that only its cursors share.

use std::rc::Rc;

use super::match_test::MatchTest;
use super::row_cache::RowCache;
use super::search_cache::SearchCache;
use crate::error::Result;
use crate::storage::shadow::Owner;
use crate::vtab::core::TableCore;

/// The core of a table, and the caches that its cursors share.
pub struct ReadContext {
    pub core: TableCore,
    pub search_cache: SearchCache,
    pub row_cache: RowCache,
    pub match_test: Rc<MatchTest>,
}

impl ReadContext {
    /// A context with empty caches.
    pub fn new(core: TableCore) -> Result<ReadContext> {
        let match_test = MatchTest::new(Rc::clone(&core.schema), core.names()?);
        Ok(ReadContext { core, search_cache: SearchCache::default(), row_cache: RowCache::default(), match_test })
    }

    /// Changes the name of the virtual table.
    pub fn rename(&self, owner: Owner) -> Result<()> {
        self.core.rename(owner)?;
        self.search_cache.clear();
        self.row_cache.clear();
        self.match_test.rename(self.core.names()?);
        Ok(())
    }

    /// Drops everything that is kept between statements.
    pub fn clear(&self) {
        self.core.rows.statements.clear();
        self.core.filter_cache.clear();
        self.search_cache.clear();
        self.row_cache.clear();
    }
}
