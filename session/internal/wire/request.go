package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A request is a frame that was written and that has not been answered.
type request struct {
	xid, op int32
	size    int    // of the frame
	body    []byte // what follows the header; nil for those that are not zk's
}

// An operation is what a request asks for. A multi asks for several.
type operation struct {
	kind  int32
	path  string
	flags int32 // of a create
}

// Flags of a create.
const (
	flagEphemeral = 1
	flagSequence  = 2
)

// requestShapes are the bodies of requests as far as they are read, in the letters of replyShapes. In a
// create the flags come after that.
var requestShapes = map[int32]string{
	opCreate:          "sb[iss]",
	opCreateContainer: "sb[iss]",
	opCreateTTL:       "sb[iss]",
	opDelete:          "si",
	OpExists:          "s",
	opGetData:         "s",
	opSetData:         "sbi",
	OpGetChildren2:    "s",
	opCheck:           "si",
}

// operations returns what a request asks for.
func (r request) operations() (ops []operation, err error) {
	p := r.body
	if r.op != opMulti {
		op, _, err := readOperation(r.op, p)
		return []operation{op}, err
	}
	for {
		kind, end, rest, err := multiHeader(p)
		if err != nil || end {
			return ops, err
		}
		op, rest, err := readOperation(kind, rest)
		if err != nil {
			return nil, err
		}
		ops, p = append(ops, op), rest
	}
}

// readOperation returns the operation with which p begins, and what follows.
func readOperation(kind int32, p []byte) (op operation, rest []byte, err error) {
	op.kind = kind
	shape, ok := requestShapes[kind]
	if !ok {
		return op, nil, nil
	}
	if rest, err = skipFields(shape, p); err != nil {
		return op, nil, err
	}
	op.path = firstString(p)
	if op.creates() {
		flags := rest
		if rest, err = skip(rest, 4); err != nil {
			return op, nil, err
		}
		op.flags = int32(binary.BigEndian.Uint32(flags))
	}
	return op, rest, nil
}

// firstString returns the string with which p begins. Its length has been checked.
func firstString(p []byte) string {
	n := binary.BigEndian.Uint32(p)
	return string(p[4 : 4+n])
}

func (op operation) creates() bool {
	return op.kind == opCreate || op.kind == opCreateContainer || op.kind == opCreateTTL
}

// created checks and keeps the path that a create was answered with. It is the path that was asked for.
// For a sequential znode a number follows it.
func (op *operation) created(path string) error {
	number, ok := strings.CutPrefix(path, op.path)
	if !ok || op.flags&flagSequence == 0 && number != "" || op.flags&flagSequence != 0 && !isNumber(number) {
		return fmt.Errorf("%w: the create of %q is answered with %q", ErrProtocol, op.path, path)
	}
	op.path = path
	return nil
}

// isNumber reports whether s is a number as servers append it to a name: an int with ten digits, or a
// negative one, which comes after the largest.
func isNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && fmt.Sprintf("%010d", n) == s
}

// tell tells the hooks what the answer to an operation says about a znode.
func (c *Conn) tell(op operation, code int32) {
	switch {
	case op.creates():
		if code == 0 {
			c.hooks.Created(op.path, op.kind == opCreate && op.flags&flagEphemeral != 0)
		}
	case code == codeNoNode, code == 0 && op.kind == opDelete:
		c.hooks.Missing(op.path)
	}
}

// checkAnswer checks the answer to r, and tells what it says about znodes.
func (c *Conn) checkAnswer(r request, code int32, body []byte) error {
	ops, err := r.operations()
	switch {
	case err != nil:
		return fmt.Errorf("wire: bug: a request of operation %d: %v", r.op, err)
	case r.op == opMulti && code == 0:
		return c.checkMulti(ops, body)
	case r.op == opMulti:
		return nil
	case code == 0: // zk does not read the body of an error
		if _, err := ops[0].result(replyShapes, body); err != nil {
			return err
		}
	}
	c.tell(ops[0], code)
	return nil
}

// result checks the result of op, with which p begins, and returns what follows. More bytes may follow
// the last result: newer servers may add fields.
func (op *operation) result(shapes map[int32]string, p []byte) (rest []byte, err error) {
	shape, ok := shapes[op.kind]
	if !ok {
		return nil, fmt.Errorf("wire: bug: no shape for the answer to operation %d", op.kind)
	}
	if rest, err = skipFields(shape, p); err == nil && op.creates() {
		err = op.created(firstString(p))
	}
	return rest, err
}

// checkMulti checks the results of a multi: one for each operation, of its kind or an error. If one
// is an error, nothing was carried out, and one of the errors says why.
func (c *Conn) checkMulti(ops []operation, p []byte) error {
	refused, codes := false, make([]int32, len(ops))
	for n := 0; ; n++ {
		kind, end, rest, err := multiHeader(p)
		switch {
		case err != nil:
			return err
		case end && n == len(ops):
			return c.tellMulti(ops, codes, refused)
		case end, n == len(ops):
			return fmt.Errorf("%w: a multi of %d operations is answered with another number of results", ErrProtocol, len(ops))
		case kind == errorResult:
			if p, err = skip(rest, 4); err == nil {
				refused, codes[n] = true, int32(binary.BigEndian.Uint32(rest))
			}
		case kind == ops[n].kind:
			p, err = ops[n].result(resultShapes, rest)
		default:
			err = fmt.Errorf("%w: result %d of a multi has the type %d; its operation has %d", ErrProtocol, n, kind, ops[n].kind)
		}
		if err != nil {
			return err
		}
	}
}

// tellMulti tells what the results of a multi say about znodes.
func (c *Conn) tellMulti(ops []operation, codes []int32, refused bool) error {
	if !refused {
		for _, op := range ops {
			c.tell(op, 0)
		}
		return nil
	}
	failed := slices.IndexFunc(codes, func(code int32) bool { return code != 0 })
	if failed < 0 {
		return fmt.Errorf("%w: a multi was refused without an error", ErrProtocol)
	}
	// If an operation before it deletes the znode, the error tells nothing: that was not carried out either.
	if !slices.ContainsFunc(ops[:failed], func(op operation) bool { return op.kind == opDelete && op.path == ops[failed].path }) {
		c.tell(ops[failed], codes[failed])
	}
	return nil
}
