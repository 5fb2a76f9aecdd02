//! SQLite with vecrank linked in, for JavaScript. `vecrank/index.js` is the interface that people see; this is what it
//! calls.

mod error;
mod values;

use std::panic::AssertUnwindSafe;

use js_sys::{Array, Promise, Uint8Array};
use rusqlite::{CachedStatement, Connection, MAIN_DB, OpenFlags};
use sqlite_wasm_rs::WasmOsCallback;
use sqlite_wasm_rs::vfs::VfsFilesManager;
use sqlite_wasm_rs::vfs::transfer::DbTransfer;
use sqlite_wasm_vfs::sahpool::{OpfsSAHPoolCfgBuilder, OpfsSAHPoolUtil, install};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

use error::{Result, failure};

/// The file system that keeps files in the browser (OPFS), and its folder there.
const KEPT: &str = "vecrank";

#[wasm_bindgen(start)]
fn start() -> Result<()> {
    // SAFETY: it is sqlite3_auto_extension() of the library that rusqlite uses.
    unsafe { vecrank::register_auto_extension(rusqlite::ffi::sqlite3_auto_extension) }.map_err(failure)
}

/// A connection. Its memory is given back by `close`.
#[wasm_bindgen]
pub struct Connected {
    // A panic inside the extension is caught there, and its table is left as it says.
    connection: Option<AssertUnwindSafe<Connection>>,
}

#[wasm_bindgen]
impl Connected {
    /// Opens a database in memory: a copy of the file whose bytes are given, or an empty one.
    #[wasm_bindgen(constructor)]
    pub fn new(file: Option<Vec<u8>>) -> Result<Connected> {
        let mut connection = Connection::open_in_memory()?;
        if let Some(mut file) = file {
            // A database in memory has no write-ahead log. These two bytes say whether the file has one.
            if let Some(versions @ [2, 2]) = file.get_mut(18..20) {
                versions.fill(1);
            }
            connection.deserialize_read_exact(MAIN_DB, file.as_slice(), file.len(), false)?;
        }
        Connected::checked(connection)
    }

    /// Opens a file that the browser keeps (OPFS). If it is not there yet, it begins as `file`, or empty. Only a worker
    /// can do this.
    #[wasm_bindgen(js_name = openKept, unchecked_return_type = "Promise<Connected>")]
    pub fn open_kept(name: String, file: Option<Vec<u8>>) -> Promise {
        promise(async move {
            let kept = kept_files().await?;
            if let Some(file) = file
                && !kept.contains(&name).map_err(failure)?
            {
                kept.import_db(&name, &file).map_err(failure)?;
            }
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            Connected::checked(Connection::open_with_flags_and_vfs(&name, flags, KEPT)?)
        })
    }

    /// Removes a file that the browser keeps. Returns whether it was there.
    #[wasm_bindgen(js_name = removeKept, unchecked_return_type = "Promise<boolean>")]
    pub fn remove_kept(name: String) -> Promise {
        promise(async move { kept_files().await?.remove(&name).map_err(failure) })
    }

    /// Fails here, and not at the first query, if the file is no database.
    fn checked(connection: Connection) -> Result<Connected> {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(Connected { connection: Some(AssertUnwindSafe(connection)) })
    }

    fn open(&self) -> Result<&Connection> {
        self.connection.as_deref().ok_or_else(|| failure("the database is closed"))
    }

    /// A prepared statement, from the cache if it was used before.
    fn prepared(&self, sql: &str, values: &JsValue) -> Result<CachedStatement<'_>> {
        let mut statement = self.open()?.prepare_cached(sql)?;
        values::bind(&mut statement, values)?;
        Ok(statement)
    }

    /// Runs a script: statements without values.
    pub fn exec(&self, sql: &str) -> Result<()> {
        Ok(self.open()?.execute_batch(sql)?)
    }

    /// Runs one statement. Returns the names of its columns, and an array for each of its rows, or of the first `most`.
    #[wasm_bindgen(unchecked_return_type = "[string[], any[][]]")]
    pub fn query(&self, sql: &str, values: &JsValue, most: Option<u32>) -> Result<Array> {
        let mut statement = self.prepared(sql, values)?;
        let columns: Array = statement.column_names().into_iter().map(JsValue::from_str).collect();
        let (width, rows, most) = (columns.length() as usize, Array::new(), most.unwrap_or(u32::MAX));
        let mut found = statement.raw_query();
        while rows.length() < most
            && let Some(row) = found.next()?
        {
            let row: rusqlite::Result<Array> = (0..width).map(|at| row.get_ref(at).map(values::to_js)).collect();
            rows.push(&row?.into());
        }
        Ok(Array::of2(&columns, &rows))
    }

    /// Prepares one statement without running it; fails if it is wrong.
    pub fn prepare(&self, sql: &str) -> Result<()> {
        self.open()?.prepare_cached(sql)?;
        Ok(())
    }

    /// The rows that the last INSERT, UPDATE or DELETE changed.
    pub fn changes(&self) -> Result<f64> {
        Ok(self.open()?.changes() as f64)
    }

    /// The bytes of the file.
    pub fn export(&mut self) -> Result<Uint8Array> {
        let connection = self.connection.as_mut().ok_or_else(|| failure("the database is closed"))?;
        Ok(Uint8Array::from(&*connection.serialize(MAIN_DB)?))
    }

    /// Closes the connection. A second time it does nothing.
    pub fn close(&mut self) {
        self.connection = None;
    }
}

async fn kept_files() -> Result<OpfsSAHPoolUtil> {
    let options = OpfsSAHPoolCfgBuilder::new().vfs_name(KEPT).directory(KEPT).build();
    install::<WasmOsCallback>(&options, false).await.map_err(failure)
}

fn promise<T: Into<JsValue>>(body: impl Future<Output = Result<T>> + 'static) -> Promise {
    future_to_promise(AssertUnwindSafe(async { Ok(body.await?.into()) }))
}
