//! The arguments of a search: `query`, `k`, `ef_search`, `group_by` and `group_limit`.

use std::rc::Rc;

use crate::error::Result;
use crate::sqlite::{Value, Values};
use crate::vtab::planning::plan::KnnPlan;
use crate::vtab::rows::owned_value::OwnedValue;

/// The arguments as SQLite passes them; None for those that the plan does not have.
pub struct GivenArguments<'v> {
    pub query: Option<Value<'v>>,
    pub k: Option<Value<'v>>,
    pub ef_search: Option<Value<'v>>,
    pub group_by: Option<Value<'v>>,
    pub group_limit: Option<Value<'v>>,
}

impl<'v> GivenArguments<'v> {
    /// Reads the arguments, and returns the values after them.
    pub fn read(plan: &KnnPlan, values: Values<'v>) -> Result<(GivenArguments<'v>, Values<'v>)> {
        let mut rest = values;
        let mut next = |is_there: bool| {
            let argument = is_there.then(|| rest.at(0)).transpose();
            rest = rest.skip(usize::from(is_there));
            argument
        };
        let given = GivenArguments {
            query: next(true)?,
            k: next(plan.has_k)?,
            ef_search: next(plan.has_ef_search)?,
            group_by: next(plan.has_group_by)?,
            group_limit: next(plan.has_group_limit)?,
        };
        Ok((given, rest))
    }

    /// Copies the values, so that they outlive the call.
    pub fn kept(&self) -> Arguments {
        let kept = |value: Option<Value<'_>>| value.map(|value| OwnedValue::of(value.content()));
        Arguments {
            query: kept(self.query).map(Rc::new),
            k: kept(self.k),
            ef_search: kept(self.ef_search),
            group_by: kept(self.group_by),
            group_limit: kept(self.group_limit),
        }
    }
}

/// The arguments as given: SQLite may test them again.
#[derive(Debug, Default)]
pub struct Arguments {
    pub query: Option<Rc<OwnedValue>>,
    pub k: Option<OwnedValue>,
    pub ef_search: Option<OwnedValue>,
    pub group_by: Option<OwnedValue>,
    pub group_limit: Option<OwnedValue>,
}
