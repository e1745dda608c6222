package value

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/zkrecipe/zkrecipe/internal/enum"
)

// Encoding is how a Counter's number stands in its znode. All who use the znode must have the same.
type Encoding int

const (
	// EncodingDecimal is decimal ASCII, as kazoo's Counter has it: "42".
	EncodingDecimal Encoding = iota
	// EncodingInt64 is 8 bytes, big-endian, as Curator's DistributedAtomicLong has it.
	EncodingInt64
	// EncodingInt32 is 4 bytes, big-endian, as Curator's SharedCount has it, and kazoo's Counter
	// with support_curator.
	EncodingInt32
)

// String returns what it is in words.
func (e Encoding) String() string {
	return enum.Name(e, []string{"a decimal number", "8 bytes", "4 bytes"})
}

func (e Encoding) limits() (low, high int64) {
	if e == EncodingInt32 {
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// fits reports whether the encoding has room for n.
func (e Encoding) fits(n int64) bool {
	low, high := e.limits()
	return low <= n && n <= high
}

func (e Encoding) encode(n int64) []byte {
	switch e {
	case EncodingInt64:
		return binary.BigEndian.AppendUint64(nil, uint64(n))
	case EncodingInt32:
		return binary.BigEndian.AppendUint32(nil, uint32(n))
	}
	return strconv.AppendInt(nil, n, 10)
}

// decode takes no data at all for 0, as Curator and kazoo do.
func (e Encoding) decode(data []byte) (n int64, ok bool) {
	switch {
	case len(data) == 0:
		return 0, true
	case e == EncodingInt64 && len(data) == 8:
		return int64(binary.BigEndian.Uint64(data)), true
	case e == EncodingInt32 && len(data) == 4:
		return int64(int32(binary.BigEndian.Uint32(data))), true
	case e == EncodingDecimal:
		n, err := strconv.ParseInt(string(data), 10, 64)
		return n, err == nil
	}
	return 0, false
}
