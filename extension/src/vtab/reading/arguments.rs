//! The arguments of a search: `query`, `k`, `ef_search`, `group_by` and `group_limit`.

use std::rc::Rc;

use crate::error::{Error, Result};
use crate::sqlite::{Value, Values};
use crate::vtab::planning::plan::{Argument, KnnPlan};
use crate::vtab::planning::search_arguments::two_vectors;
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
    /// Reads the arguments, and returns the values after them. An argument may be given again if it is the same: so SQLite
    /// itself repeats those of the table-valued form under OR.
    pub fn read(table: &str, plan: &KnnPlan, values: Values<'v>) -> Result<(GivenArguments<'v>, Values<'v>)> {
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
        for (position, argument) in plan.again.iter().enumerate() {
            let (first, again) = (given.argument(*argument), rest.at(position)?);
            if !first.is_some_and(|first| is_same(first, again)) {
                if *argument == Argument::Query {
                    return Err(two_vectors(table));
                }
                let name = argument.name();
                let (first, again) = (first.map_or(String::new(), |first| first.shown()), again.shown());
                return Err(Error::invalid(format!(
                    "{table}.{name}: an argument of the search, given twice: {first} and {again}: write one \"{name} = ?\""
                )));
            }
        }
        Ok((given, rest.skip(plan.again.len())))
    }

    fn argument(&self, argument: Argument) -> Option<Value<'v>> {
        match argument {
            Argument::Query => self.query,
            Argument::K => self.k,
            Argument::EfSearch => self.ef_search,
            Argument::GroupBy => self.group_by,
            Argument::GroupLimit => self.group_limit,
        }
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

/// Whether two values of an argument are the same: 5, 5.0 and '5' are.
fn is_same(one: Value<'_>, other: Value<'_>) -> bool {
    one.content() == other.content() || one.whole().is_some_and(|number| other.whole() == Some(number))
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
