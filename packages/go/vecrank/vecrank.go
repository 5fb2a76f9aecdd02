// Package vecrank gives github.com/mattn/go-sqlite3 the SQLite extension vecrank, which ranks rows by vector distance.
//
// The library of this platform is embedded in the package. Programs that use modernc.org/sqlite cannot load extensions:
// that SQLite is Go, and has no sqlite3_load_extension.
package vecrank

import (
	"database/sql"
	"fmt"
	"sync"

	"github.com/mattn/go-sqlite3"
)

// DriverName is the driver that Register adds to database/sql.
const DriverName = "sqlite3_vecrank"

// Register adds the driver DriverName to database/sql: go-sqlite3, with vecrank on each connection of the pool. Calling
// it again does nothing. A program with a driver of its own calls Load in its ConnectHook instead.
func Register() error {
	return register()
}

var register = sync.OnceValue(func() error {
	if _, err := Path(); err != nil {
		return err
	}
	sql.Register(DriverName, &sqlite3.SQLiteDriver{ConnectHook: Load})
	return nil
})

// Load loads vecrank into one connection. It is a ConnectHook of sqlite3.SQLiteDriver.
func Load(connection *sqlite3.SQLiteConn) error {
	path, err := Path()
	if err != nil {
		return err
	}
	if err := loadFile(connection, path); err != nil {
		return fmt.Errorf("vecrank: loading %s: %w", path, err)
	}
	return nil
}
