//! SQL functions: scalar ones, and aggregates that are window functions too.

use std::ffi::{c_int, c_void};
use std::ops::RangeInclusive;

use super::api::{Api, c_string, call};
use super::bindings::*;
use super::connection::Connection;
use super::context::{Context, drop_box};
use super::guard;
use super::libraries::{self, for_library};
use super::value::Values;
use crate::error::{Error, Result, code};

/// The body of an SQL function; its result goes to the context.
pub type ScalarFunction = fn(&Context<'_>, Values<'_>) -> Result<()>;

/// The same, as a closure.
pub type ScalarClosure = Box<dyn Fn(&Context<'_>, Values<'_>) -> Result<()>>;

/// Properties of a function that SQLite may rely on. Combine them with `and`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionFlags(c_int);

impl FunctionFlags {
    #[cfg(feature = "test-panic")]
    pub const NONE: FunctionFlags = FunctionFlags(0);
    /// Equal arguments give an equal result within a statement.
    pub const DETERMINISTIC: FunctionFlags = FunctionFlags(SQLITE_DETERMINISTIC);
    /// The function is harmless even if an untrusted schema calls it.
    pub const INNOCUOUS: FunctionFlags = FunctionFlags(SQLITE_INNOCUOUS);
    /// Reads subtypes of its arguments.
    pub const SUBTYPE: FunctionFlags = FunctionFlags(SQLITE_SUBTYPE);
    /// Gives a subtype to its result.
    pub const RESULT_SUBTYPE: FunctionFlags = FunctionFlags(SQLITE_RESULT_SUBTYPE);
    /// Deterministic and innocuous: a function of its arguments and of nothing else.
    pub const PURE: FunctionFlags = FunctionFlags::DETERMINISTIC.and(FunctionFlags::INNOCUOUS);

    pub const fn and(self, other: FunctionFlags) -> FunctionFlags {
        FunctionFlags(self.0 | other.0)
    }
}

/// The name of a function, and how many arguments SQL may give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature<'a> {
    pub name: &'a str,
    pub arguments: RangeInclusive<u8>,
    pub flags: FunctionFlags,
}

/// An aggregate, which starts as `default()`. Register it with `register_aggregate`.
pub trait Aggregate: Default + 'static {
    /// Adds a row.
    fn step(&mut self, arguments: Values<'_>) -> Result<()>;

    /// Removes a row that `step` added (the oldest of a window).
    fn inverse(&mut self, arguments: Values<'_>) -> Result<()>;

    /// Returns the result for the current rows; there may be none.
    fn value(&self, context: &Context<'_>) -> Result<()>;
}

/// The target of a scalar function's pApp.
pub(super) struct Scalar {
    api: Api,
    function: ScalarClosure,
}

impl Scalar {
    pub(super) fn new(api: Api, function: ScalarClosure) -> Scalar {
        Scalar { api, function }
    }
}

/// The callbacks of a function: either `scalar`, or the others for an aggregate.
#[derive(Default)]
struct Callbacks {
    scalar: Option<XCall>,
    step: Option<XCall>,
    inverse: Option<XCall>,
    value: Option<XFinal>,
    last: Option<XFinal>,
}

pub(super) type XCall = unsafe extern "C" fn(*mut sqlite3_context, c_int, *mut *mut sqlite3_value);
type XFinal = unsafe extern "C" fn(*mut sqlite3_context);

/// Registers a scalar function. If the name, with as many arguments, is registered and in use by a running
/// statement (the SELECT load_extension() of a second load, say), the old function stays.
pub fn register_scalar(connection: Connection, signature: &Signature<'_>, function: ScalarFunction) -> Result<()> {
    let api = connection.api();
    let callback = scalar_callback(api)?;
    register(connection, signature, &Callbacks { scalar: Some(callback), ..Callbacks::default() }, || {
        (Box::into_raw(Box::new(Scalar::new(api, Box::new(function)))).cast(), drop_box::<Scalar>)
    })
}

/// Registers an aggregate that is a window function too; a taken name is handled as by `register_scalar`.
pub fn register_aggregate<A: Aggregate>(connection: Connection, signature: &Signature<'_>) -> Result<()> {
    let api = connection.api();
    let number = libraries::number_of(api)?;
    let callbacks = Callbacks {
        scalar: None,
        step: Some(for_library!(number, x_step, A)),
        inverse: Some(for_library!(number, x_inverse, A)),
        value: Some(for_library!(number, x_value, A)),
        last: Some(for_library!(number, x_final, A)),
    };
    register(connection, signature, &callbacks, || (Box::into_raw(Box::new(api)).cast(), drop_box::<Api>))
}

/// The callback whose pApp is a Scalar.
pub(super) fn scalar_callback(api: Api) -> Result<XCall> {
    let number = libraries::number_of(api)?;
    Ok(for_library!(number, x_scalar))
}

type Destructor = unsafe extern "C" fn(*mut c_void);

fn register(
    connection: Connection,
    signature: &Signature<'_>,
    callbacks: &Callbacks,
    user_data: impl Fn() -> (*mut c_void, Destructor),
) -> Result<()> {
    let (api, db) = (connection.api(), connection.raw());
    let name = c_string(signature.name)?;
    for arguments in signature.arguments.clone() {
        let (arguments, flags) = (c_int::from(arguments), SQLITE_UTF8 | signature.flags.0);
        let (name, (data, drop)) = (name.as_ptr(), user_data());
        // SAFETY: the connection is open; the callbacks fit the data, which SQLite drops with its destructor once,
        // also when it refuses the function.
        let status = unsafe {
            match callbacks.scalar {
                Some(scalar) => {
                    let scalar = Some(scalar);
                    call!(api, create_function_v2(db, name, arguments, flags, data, scalar, None, None, Some(drop)))
                }
                None => {
                    let Callbacks { step, inverse, value, last, .. } = *callbacks;
                    call!(
                        api,
                        create_window_function(
                            db,
                            name,
                            arguments,
                            flags,
                            data,
                            step,
                            last,
                            value,
                            inverse,
                            Some(drop)
                        )
                    )
                }
            }
        };
        if status != SQLITE_BUSY {
            connection.check(status)?;
        }
    }
    Ok(())
}

unsafe extern "C" fn x_scalar<const LIBRARY: usize>(
    context: *mut sqlite3_context,
    count: c_int,
    arguments: *mut *mut sqlite3_value,
) {
    // SAFETY: registered for this library with a Scalar, which lives as long as the function.
    let scalar = unsafe { &*libraries::user_data::<LIBRARY>(context).cast::<Scalar>() };
    // SAFETY: SQLite's context and arguments, good until this callback ends.
    unsafe {
        answer(scalar.api, context, |context| (scalar.function)(context, Values::new(scalar.api, count, arguments)));
    }
}

/// The api of the aggregate whose callback is under way.
///
/// # Safety
/// As for `libraries::user_data`; the function was registered by `register_aggregate`.
unsafe fn api_of<const LIBRARY: usize>(context: *mut sqlite3_context) -> Api {
    // SAFETY: pApp is the box that `register_aggregate` made.
    unsafe { *libraries::user_data::<LIBRARY>(context).cast::<Api>() }
}

unsafe extern "C" fn x_step<const LIBRARY: usize, A: Aggregate>(
    context: *mut sqlite3_context,
    count: c_int,
    arguments: *mut *mut sqlite3_value,
) {
    // SAFETY: SQLite's context and arguments, good until this callback ends; nobody else holds the state meanwhile.
    unsafe {
        let api = api_of::<LIBRARY>(context);
        answer(api, context, |_| state::<A>(api, context)?.step(Values::new(api, count, arguments)));
    }
}

unsafe extern "C" fn x_inverse<const LIBRARY: usize, A: Aggregate>(
    context: *mut sqlite3_context,
    count: c_int,
    arguments: *mut *mut sqlite3_value,
) {
    // SAFETY: as in `x_step`.
    unsafe {
        let api = api_of::<LIBRARY>(context);
        answer(api, context, |_| state::<A>(api, context)?.inverse(Values::new(api, count, arguments)));
    }
}

unsafe extern "C" fn x_value<const LIBRARY: usize, A: Aggregate>(context: *mut sqlite3_context) {
    // SAFETY: as in `x_step`.
    unsafe {
        let api = api_of::<LIBRARY>(context);
        answer(api, context, |result| {
            match aggregate_slot::<A>(api, context, 0).as_ref().and_then(|slot| slot.as_ref()) {
                Some(state) => state.value(result),
                None => A::default().value(result),
            }
        });
    }
}

unsafe extern "C" fn x_final<const LIBRARY: usize, A: Aggregate>(context: *mut sqlite3_context) {
    // SAFETY: as in `x_step`; SQLite calls this once, last, whatever happened, so the box dies here.
    unsafe {
        let api = api_of::<LIBRARY>(context);
        answer(api, context, |result| {
            let kept =
                aggregate_slot::<A>(api, context, 0).as_mut().map(|slot| std::mem::replace(slot, std::ptr::null_mut()));
            match kept.filter(|state| !state.is_null()) {
                Some(state) => Box::from_raw(state).value(result),
                None => A::default().value(result),
            }
        });
    }
}

/// The aggregate's state, made at the first call.
///
/// # Safety
/// `context` is that of the callback under way, of an aggregate with this `A`; one reference at a time.
unsafe fn state<'a, A: Aggregate>(api: Api, context: *mut sqlite3_context) -> Result<&'a mut A> {
    // SAFETY: as the caller promises; the slot is null (zeroed by SQLite) or holds our box.
    unsafe {
        let slot = aggregate_slot::<A>(api, context, size_of::<*mut A>() as c_int);
        let slot = slot.as_mut().ok_or_else(|| Error::Sqlite { code: code::NOMEM, message: "out of memory".into() })?;
        if slot.is_null() {
            *slot = Box::into_raw(Box::default());
        }
        Ok(&mut **slot)
    }
}

/// SQLite's memory for this run of the aggregate: one pointer, null at first. With `size` 0 the result is null if there
/// was no row yet.
///
/// # Safety
/// `context` is that of the callback under way.
unsafe fn aggregate_slot<A>(api: Api, context: *mut sqlite3_context, size: c_int) -> *mut *mut A {
    // SAFETY: as the caller promises.
    unsafe { call!(api, aggregate_context(context, size)).cast() }
}

/// Runs the body of a function's callback; its error becomes the result.
///
/// # Safety
/// `context` is that of the callback under way, of the library of `api`.
#[inline]
unsafe fn answer(api: Api, context: *mut sqlite3_context, body: impl FnOnce(&Context<'_>) -> Result<()>) {
    // SAFETY: as the caller promises.
    unsafe {
        if let Err(error) = guard::caught(|| body(&Context::new(api, context))) {
            guard::report_to_context(api, context, &error);
        }
    }
}
