package vecrank

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestVectorsAreLittleEndianAndRoundTrip(t *testing.T) {
	blob := Vector([]float32{1, -2})
	if !bytes.Equal(blob, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}) {
		t.Errorf("got %x", blob)
	}
	numbers, err := FromVector(blob)
	if err != nil || len(numbers) != 2 || numbers[0] != 1 || numbers[1] != -2 {
		t.Errorf("got %v, %v", numbers, err)
	}
	if Vector(nil) == nil {
		t.Error("an empty vector is bound as NULL")
	}
}

func TestBytesThatAreNoVectorAreRefused(t *testing.T) {
	for size, want := range map[int]string{
		0: "vecrank.FromVector: expected 4 bytes for each number, got 0 bytes",
		7: "vecrank.FromVector: expected 4 bytes for each number, got 7 bytes",
	} {
		if _, err := FromVector(make([]byte, size)); err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheLibraryIsWrittenOnceByManyAndMendedWhenDamaged(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "vecrank")
	var writers sync.WaitGroup
	for range [8]struct{}{} {
		writers.Add(1)
		go func() {
			defer writers.Done()
			if _, err := writeInto(folder); err != nil {
				t.Error(err)
			}
		}()
	}
	writers.Wait()
	files, _ := os.ReadDir(folder)
	if len(files) != 1 {
		t.Fatalf("expected one file, got %v", files)
	}
	path := filepath.Join(folder, files[0].Name())
	if err := os.WriteFile(path, library[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := writeInto(folder); err != nil {
		t.Fatal(err)
	}
	if held, _ := os.ReadFile(path); !bytes.Equal(held, library) {
		t.Error("a damaged library stays")
	}
}

func TestAFolderThatOthersMayWriteIsNotUsed(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := writeInto(folder); err == nil || err.Error() != folder+" is open to other users" {
		t.Errorf("got %v", err)
	}
}

func TestRegisterServesEveryConnectionOfAPool(t *testing.T) {
	for range [2]struct{}{} {
		if err := Register(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open(DriverName, ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range [3]struct{}{} {
		// Held open, so that the next one is another.
		connection, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var version string
		if err := connection.QueryRowContext(context.Background(), "SELECT vecrank_version()").Scan(&version); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(version, Version) {
			t.Errorf("the package is of version %s, its library of %s", Version, version)
		}
	}
}
