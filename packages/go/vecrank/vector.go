package vecrank

import (
	"encoding/binary"
	"fmt"
	"math"
)

const bytesPerNumber = 4

// Vector returns the BLOB to bind for a vector: little-endian 32-bit floats. It is never nil, which SQLite would take for
// NULL, so that an empty vector is refused by the table.
func Vector(numbers []float32) []byte {
	blob := make([]byte, 0, len(numbers)*bytesPerNumber)
	for _, number := range numbers {
		blob = binary.LittleEndian.AppendUint32(blob, math.Float32bits(number))
	}
	return blob
}

// FromVector returns the numbers of a vector that was read from a table.
func FromVector(blob []byte) ([]float32, error) {
	if len(blob) == 0 || len(blob)%bytesPerNumber != 0 {
		return nil, fmt.Errorf("vecrank.FromVector: expected 4 bytes for each number, got %d bytes", len(blob))
	}
	numbers := make([]float32, len(blob)/bytesPerNumber)
	for i := range numbers {
		numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(blob[i*bytesPerNumber:]))
	}
	return numbers, nil
}
