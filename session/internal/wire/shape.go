package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// What the bodies of replies consist of, one letter for each field, as zk decodes
// them (records of zookeeper.jute in ZooKeeper 3.8). zk trusts the counts that it finds
// there and panics, in a goroutine of its own, where they lie.
//
//	i    an int
//	s    a string: its length and its bytes
//	n    a string that is a znode's name
//	p    a string that is a path
//	b    a buffer: likewise, or the length -1 for none
//	S    a Stat
//	[x]  a vector: its length and as many x
//
// The results of a multi have shapes of their own.
var replyShapes = map[int32]string{
	opCreate:          "s",
	opDelete:          "",
	OpExists:          "S",
	opGetData:         "bS",
	opSetData:         "S",
	opGetACL:          "[iss]S",
	opSetACL:          "S",
	opSync:            "s",
	opPing:            "",
	OpGetChildren2:    "[n]S",
	opCreateContainer: "s",
	opCreateTTL:       "s",
	opClose:           "",
	OpRemoveWatches:   "",
	OpSetWatches:      "",
	OpAddWatch:        "i",
}

// eventShape is that of a watch event: type, state, path.
const eventShape = "iip"

// checkEvent checks the body of a watch event. An event whose type is not positive would tell zk that
// the session has expired, or that the connection is another one. Servers do not send such events: zk
// makes them itself.
func checkEvent(body []byte) error {
	if _, err := skipFields(eventShape, body); err != nil {
		return err
	}
	if kind := int32(binary.BigEndian.Uint32(body)); kind <= 0 {
		return fmt.Errorf("%w: an event of type %d", ErrProtocol, kind)
	}
	return nil
}

// resultShapes are those of a multi's results by their type.
var resultShapes = map[int32]string{
	opCreate:  "s",
	opDelete:  "",
	opSetData: "S",
	opCheck:   "",
}

const (
	statSize        = 68
	multiHeaderSize = 4 + 1 + 4 // type, whether it is the end, error
)

// multiHeader reads what stands before each operation of a multi and before each of its results.
func multiHeader(p []byte) (kind int32, end bool, rest []byte, err error) {
	if rest, err = skip(p, multiHeaderSize); err != nil {
		return 0, false, nil, err
	}
	return int32(binary.BigEndian.Uint32(p)), p[4] != 0, rest, nil
}

// skipFields returns what follows fields of that shape in p.
func skipFields(shape string, p []byte) (rest []byte, err error) {
	for i := 0; i < len(shape); i++ {
		switch shape[i] {
		case 'i':
			p, err = skip(p, 4)
		case 'S':
			p, err = skip(p, statSize)
		case 's', 'b', 'n', 'p':
			p, err = skipCounted(p, shape[i])
		case '[':
			end := i + 1
			for shape[end] != ']' {
				end++
			}
			p, err = skipVector(shape[i+1:end], p)
			i = end
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

func skip(p []byte, n int) ([]byte, error) {
	if n < 0 || n > len(p) {
		return nil, fmt.Errorf("%w: a field of %d bytes where %d are left", ErrProtocol, n, len(p))
	}
	return p[n:], nil
}

func skipCounted(p []byte, letter byte) ([]byte, error) {
	rest, err := skip(p, 4)
	if err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(p)))
	if letter == 'b' && n == -1 {
		return rest, nil
	}
	p = rest
	if rest, err = skip(p, n); err != nil {
		return nil, err
	}
	if s := p[:n]; letter == 'n' && !isName(s) || letter == 'p' && !isPath(s) {
		return nil, fmt.Errorf("%w: %q cannot be the name or the path of a znode", ErrProtocol, s)
	}
	return rest, nil
}

// isName reports whether s may be a child's name. It checks only what the library relies on.
func isName(s []byte) bool { return len(s) > 0 && bytes.IndexByte(s, '/') < 0 }

// isPath reports whether s consists of names.
func isPath(s []byte) bool {
	return len(s) > 0 && s[0] == '/' && (len(s) == 1 || s[len(s)-1] != '/' && !bytes.Contains(s, []byte("//")))
}

func skipVector(element string, p []byte) ([]byte, error) {
	rest, err := skip(p, 4)
	if err != nil {
		return nil, err
	}
	count := int32(binary.BigEndian.Uint32(p))
	if count < 0 {
		return nil, fmt.Errorf("%w: a list of %d elements", ErrProtocol, count)
	}
	for range count { // ends early, because every element takes bytes
		if rest, err = skipFields(element, rest); err != nil {
			return nil, err
		}
	}
	return rest, nil
}
