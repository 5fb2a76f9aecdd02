//go:build !cgo

package vecrank

import (
	"errors"

	"github.com/mattn/go-sqlite3"
)

// Never reached through Register: without cgo go-sqlite3 opens no connection, and says why.
func loadFile(*sqlite3.SQLiteConn, string) error {
	return errors.New("go-sqlite3 is C: build with CGO_ENABLED=1 and a C compiler")
}
