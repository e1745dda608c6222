package wire

import (
	"encoding/binary"
	"fmt"
)

// What the bodies of replies consist of, one letter for each field, as zk decodes
// them (records of zookeeper.jute in ZooKeeper 3.8). zk trusts the counts that it finds
// there and panics, in a goroutine of its own, where they lie.
//
//	i    an int
//	s    a string: its length and its bytes
//	b    a buffer: likewise, or the length -1 for none
//	S    a Stat
//	[x]  a vector: its length and as many x
//	m    the results of a multi
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
	OpGetChildren2:    "[s]S",
	opMulti:           "m",
	opCreateContainer: "s",
	opCreateTTL:       "s",
	opClose:           "",
	OpRemoveWatches:   "",
	OpSetWatches:      "",
	OpAddWatch:        "i",
}

// eventShape is that of a watch event: type, state, path.
const eventShape = "iis"

// checkEvent checks the body of a watch event. An event whose type is not positive would tell zk that
// the session has expired, or that the connection is another one. Servers do not send such events: zk
// makes them itself.
func checkEvent(body []byte) error {
	if err := checkBody(eventShape, body); err != nil {
		return err
	}
	if kind := int32(binary.BigEndian.Uint32(body)); kind <= 0 {
		return fmt.Errorf("%w: an event of type %d", ErrProtocol, kind)
	}
	return nil
}

// resultShapes are those of a multi's results by their type.
var resultShapes = map[int32]string{
	opCreate:    "s",
	opDelete:    "",
	opSetData:   "S",
	opCheck:     "",
	errorResult: "i",
}

const (
	statSize        = 68
	multiHeaderSize = 4 + 1 + 4 // type, whether it is the end, error
)

// checkReply checks the body of the reply to r. Bytes behind it are allowed: newer
// servers may have more to say.
func checkReply(r request, body []byte) error {
	shape, ok := replyShapes[r.op]
	if !ok {
		return fmt.Errorf("wire: bug: no shape for the reply to operation %d", r.op)
	}
	if shape == "m" {
		// Each operation asked for took a header, so there cannot be more results.
		return checkMulti(body, r.size/multiHeaderSize)
	}
	return checkBody(shape, body)
}

// checkBody checks that p begins with fields of that shape.
func checkBody(shape string, p []byte) error {
	_, err := skipFields(shape, p)
	return err
}

func checkMulti(p []byte, limit int) error {
	for n := 0; ; n++ {
		if len(p) < multiHeaderSize {
			return fmt.Errorf("%w: the results of a multi end early", ErrProtocol)
		}
		kind, end := int32(binary.BigEndian.Uint32(p)), p[4] != 0
		if p = p[multiHeaderSize:]; end {
			return nil
		}
		shape, ok := resultShapes[kind]
		if !ok || n == limit {
			return fmt.Errorf("%w: result %d of a multi has the type %d", ErrProtocol, n, kind)
		}
		var err error
		if p, err = skipFields(shape, p); err != nil {
			return err
		}
	}
}

// skipFields returns what follows fields of that shape in p.
func skipFields(shape string, p []byte) (rest []byte, err error) {
	for i := 0; i < len(shape); i++ {
		switch shape[i] {
		case 'i':
			p, err = skip(p, 4)
		case 'S':
			p, err = skip(p, statSize)
		case 's', 'b':
			p, err = skipCounted(p, shape[i] == 'b')
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

func skipCounted(p []byte, optional bool) ([]byte, error) {
	rest, err := skip(p, 4)
	if err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(p)))
	if optional && n == -1 {
		return rest, nil
	}
	return skip(rest, n)
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
